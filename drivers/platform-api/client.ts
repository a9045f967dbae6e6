import { readFileSync } from 'node:fs';
import { request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Static, TSchema } from 'typebox';
import { Value } from 'typebox/value';

const WITHIN_MS = 5_000;
const ANSWER_LIMIT_BYTES = 1024 * 1024;

/** The API answered, and said no; the message is its own. */
export class ApiRefusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = 'ApiRefusal';
    this.status = status;
  }
}

export interface PlatformApi {
  /**
   * Asks and checks the answer.
   * @throws ApiRefusal for an answer other than 2xx; another Error when there was none within 5 s.
   */
  ask<S extends TSchema>(
    method: 'GET' | 'POST' | 'PUT',
    path: string,
    answer: S,
    body?: object,
  ): Promise<Static<S>>;
}

export interface PlatformApiOptions {
  url: string;
  credential?: string;
  /** A file with the API's certificate: it is trusted whatever name is in it, and no other is. */
  certificate?: string | undefined;
}

/** The platform's HTTP API as a worker host uses it. */
export function createPlatformApi({ url, credential, certificate }: PlatformApiOptions): PlatformApi {
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;

  const exchange = (method: string, path: string, body: object | undefined) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const payload = body === undefined ? undefined : JSON.stringify(body);
      const options: RequestOptions = {
        method,
        agent: false,
        signal: AbortSignal.timeout(WITHIN_MS),
        headers: {
          ...(credential === undefined ? {} : { authorization: `Bearer ${credential}` }),
          ...(payload === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
        },
        // Read each time: certificates are renewed.
        ...(certificate
          ? {
              ca: readFileSync(certificate),
              allowPartialTrustChain: true,
              checkServerIdentity: () => undefined,
            }
          : {}),
      };
      const request = send(new URL(path, url), options);
      request.on('error', (error) =>
        reject(new Error(`the API at ${url} cannot be reached`, { cause: error })),
      );
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > ANSWER_LIMIT_BYTES) request.destroy(new Error('its answer is too long'));
          else chunks.push(chunk);
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
        );
      });
      request.end(payload);
    });

  return {
    async ask(method, path, answer, body) {
      const { status, text } = await exchange(method, path, body);
      const value = parse(text);
      if (status < 200 || status > 299)
        throw new ApiRefusal(status, detailOf(value) ?? `the API answered ${status}`);
      if (!Value.Check(answer, value))
        throw new Error(
          `the API at ${url} answered ${method} ${path} in a way that this version does not know`,
        );
      return value;
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a proxy's page; the status says the rest
  }
}

const detailOf = (value: unknown): string | undefined =>
  typeof value === 'object' && value !== null && 'detail' in value ? String(value.detail) : undefined;
