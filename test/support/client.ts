import { type Agent, request as httpRequest } from 'node:http';

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  body: any;
}

export interface RequestOptions {
  token?: string;
  body?: unknown;
  form?: Record<string, string>;
  headers?: Record<string, string>;
  /** The loopback address to call from, for limits that count by address. */
  from?: string;
}

export type Client = (method: string, path: string, options?: RequestOptions) => Promise<Answer>;

/** Calls an API by its base URL; without an agent each call has a connection of its own. */
export const createClient = (baseUrl: string, agent?: Agent): Client => {
  const call: Client = (method, path, options = {}) =>
    new Promise((resolve, reject) => {
      const { token, body, form, headers = {}, from } = options;
      const payload = form
        ? new URLSearchParams(form).toString()
        : body === undefined
          ? undefined
          : JSON.stringify(body);
      const type = form ? 'application/x-www-form-urlencoded' : 'application/json';
      const request = httpRequest(new URL(path, baseUrl), {
        method,
        agent: from === undefined && agent ? agent : false,
        ...(from ? { localAddress: from } : {}),
        headers: {
          ...(payload === undefined
            ? {}
            : { 'content-type': type, 'content-length': Buffer.byteLength(payload) }),
          ...(token ? { authorization: `Bearer ${token}` } : {}),
          ...headers,
        },
      });
      request.on('error', (error: NodeJS.ErrnoException) => {
        // One that was kept is closed to make room just when it is used again: nobody has read this.
        if (request.reusedSocket && /^(ECONNRESET|EPIPE)$/.test(error.code ?? ''))
          call(method, path, options).then(resolve, reject);
        else reject(error);
      });
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const isJson = /json/.test(response.headers['content-type'] ?? '');
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            body: isJson && text ? JSON.parse(text) : undefined,
          });
        });
      });
      request.end(payload);
    });
  return call;
};

/** How often `until` asks: again soon at first, then after a fifth of the time that it has waited, up to this. */
const LONGEST_PAUSE_MS = 250;

/**
 * Asks again until `done`, or fails after the deadline with what was seen last.
 * @param longestPauseMs where it matters how soon it is seen
 */
export async function until<T>(
  ask: () => Promise<T>,
  done: (value: T) => boolean,
  deadlineMs: number,
  longestPauseMs = LONGEST_PAUSE_MS,
): Promise<T> {
  const beganAt = Date.now();
  for (;;) {
    const value = await ask();
    if (done(value)) return value;
    const waitedMs = Date.now() - beganAt;
    if (waitedMs > deadlineMs) throw new Error(`after ${deadlineMs} ms still ${JSON.stringify(value)}`);
    const pauseMs = Math.min(longestPauseMs, Math.max(20, waitedMs / 5));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
