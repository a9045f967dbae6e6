import { AppError } from '../../../domain/errors.ts';
import type { HttpAddress } from '../../../domain/myntrix/device-address.ts';
import { type HttpSettings, httpMethods } from '../../../domain/myntrix/device-http.ts';
import type { OutboundRequest } from '../../outbound/port.ts';
import { jsonIn } from '../protocols/said.ts';

export type HttpCall = Pick<OutboundRequest, 'method' | 'url' | 'headers'> & { body?: string };

/** Makes requests below one URL, with headers that may be secret. */
export interface HttpCalls {
  /** @throws AppError invalid for a path that leads elsewhere */
  of(asked: { method: string; path: string; body?: string | undefined }): HttpCall;
  /**
   * What a command asks for: `PUT /led {"on":true}` names method, path and body; any other text is the body of the
   * configured method and path.
   * @throws AppError invalid
   */
  ofCommand(text: string): HttpCall;
}

const DIRECT = new RegExp(`^(${httpMethods.join('|')}) (/\\S*)(?:\\s+([\\s\\S]+))?$`);

export function createHttpCalls(
  address: HttpAddress,
  settings: HttpSettings,
  headers: Readonly<Record<string, string>>,
): HttpCalls {
  const base = baseOf(address);
  const of: HttpCalls['of'] = ({ method, path, body }) => {
    const url = `${base}${path}`;
    // `..` and what is made of it would leave the folder of the connectionString.
    if (!URL.canParse(url) || !new URL(url).href.startsWith(new URL(base).href) || /[\\\s#]/.test(path))
      throw new AppError(
        'invalid',
        `the path ${JSON.stringify(path.slice(0, 200))} is not one below ${base}`,
      );
    if (body === undefined) return { method, url, headers };
    if (method === 'GET') throw new AppError('invalid', 'GET has no body');
    const type = settings.contentType ?? (jsonIn(body) === undefined ? 'text/plain' : 'application/json');
    return { method, url, headers: { 'content-type': type, ...headers }, body };
  };
  return {
    of,
    ofCommand(text) {
      const [, method, path, body] = DIRECT.exec(text.trim()) ?? [];
      if (method !== undefined && path !== undefined) return of({ method, path, body });
      if (settings.path !== undefined)
        return of({ method: settings.method ?? 'POST', path: settings.path, body: text });
      throw new AppError(
        'invalid',
        'the command is to be "<method> /<path> <body>", such as PUT /led {"on":true}, or a body, for which configuration.http.path says where to',
      );
    },
  };
}

/** The URL of the connectionString without its last slash. */
export const baseOf = ({ host, port, secure, path }: HttpAddress): string =>
  `http${secure ? 's' : ''}://${host.includes(':') ? `[${host}]` : host}:${port}${path.replace(/\/$/, '')}`;
