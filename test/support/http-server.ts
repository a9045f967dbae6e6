import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Handler = (request: IncomingMessage & { body: string }, response: ServerResponse) => unknown;

export interface Served {
  origin: string;
  /** Answers a path from now on. */
  on(path: string, handler: Handler): void;
  close(): Promise<void>;
}

/** A server on 127.0.0.1, which users of the test stack may reach. */
export async function serveHttp(): Promise<Served> {
  const handlers = new Map<string, Handler>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const handler = handlers.get(new URL(request.url ?? '/', 'http://localhost').pathname);
      if (!handler) return response.writeHead(404).end('nothing here');
      return handler(Object.assign(request, { body: Buffer.concat(chunks).toString() }), response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, // it listens on TCP
    on: (path, handler) => void handlers.set(path, handler),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
