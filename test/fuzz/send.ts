import { Agent, request as httpRequest } from 'node:http';
import type { Answer } from '../support/client.ts';

export interface WireRequest {
  method: string;
  /** As it stands in the request line. */
  target: string;
  headers: Record<string, string>;
  body: Buffer | undefined;
  /** The address to call from: limits of attempts count by it. */
  from: string | undefined;
}

export type Outcome = { answer: Answer; ms: number } | { failure: string; ms: number };

/** An answer that takes longer is a defect, also on a busy machine. */
export const ANSWER_WITHIN_MS = 60_000;

/** Sends requests over kept connections. */
export function createSender(apiUrl: string) {
  const { hostname, port } = new URL(apiUrl);
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });

  const send = (wire: WireRequest): Promise<Outcome> =>
    new Promise((resolve) => {
      const { method, target, headers, body, from } = wire;
      const startedAt = performance.now();
      const ms = () => performance.now() - startedAt;
      const fail = (failure: string) => resolve({ failure, ms: ms() });
      const request = httpRequest({
        ...{ hostname, port, method, path: target },
        headers: { ...headers, ...(body ? { 'content-length': body.length } : {}) },
        ...(from ? { localAddress: from, agent: false } : { agent }),
      });
      const late = setTimeout(() => {
        fail(`no answer within ${ANSWER_WITHIN_MS} ms`);
        request.destroy();
      }, ANSWER_WITHIN_MS);
      request.on('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(late);
        // One that was kept is closed just when it is used again: nobody has read this.
        if (request.reusedSocket && /^(ECONNRESET|EPIPE)$/.test(error.code ?? '')) resolve(send(wire));
        else fail(error.code ?? error.message);
      });
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          clearTimeout(late);
          const text = Buffer.concat(chunks).toString();
          resolve({
            answer: {
              status: response.statusCode ?? 0,
              headers: response.headers,
              text,
              body: parsed(text, response.headers['content-type']),
            },
            ms: ms(),
          });
        });
      });
      request.end(body);
    });
  return { send, close: () => agent.destroy() };
}

export type Sender = ReturnType<typeof createSender>;

function parsed(text: string, type = ''): unknown {
  if (!/json/.test(type) || text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the judge sees JSON that has no value
  }
}
