import { get } from 'node:http';

const WITHIN_MS = 2_000;

/** Whether Temporal's HTTP API, which asks the same frontend as gRPC does, knows the namespace. */
export function isServing(port: number, namespace: string): Promise<boolean> {
  return new Promise((resolve) => {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
    const request = get({ host: '127.0.0.1', port, path, agent: false, timeout: WITHIN_MS }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(false));
    request.once('close', () => resolve(false));
  });
}
