import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../../domain/errors.ts';
import { problemReply } from './problems.ts';

/** The path of a target; of a whole address (RFC 9112, 3.2.2), which servers must take, what comes after the host. */
function originForm(target: string): string {
  if (!/^https?:\/\//i.test(target) || !URL.canParse(target)) return target;
  const { pathname, search } = new URL(target);
  return pathname + search;
}

/** @throws AppError `bad_request` for a request target that is no path of ours, such as `http://[/`. */
export function targetOf(request: IncomingMessage): URL {
  const target = request.url ?? '/';
  if (target.startsWith('/') && !target.startsWith('//') && URL.canParse(target, 'http://localhost'))
    return new URL(target, 'http://localhost');
  throw new AppError('bad_request', 'The request target must be a path such as /api/users/me.');
}

/** Answers requests whose target cannot be read, before Koa tries to. */
export const withTarget =
  (handler: (request: IncomingMessage, response: ServerResponse) => void) =>
  (request: IncomingMessage, response: ServerResponse): void => {
    request.url = originForm(request.url ?? '/');
    try {
      if (request.httpVersion === '1.1' && request.headers.host === undefined)
        throw new AppError('bad_request', 'A request of HTTP/1.1 needs a Host header.');
      targetOf(request);
    } catch (error) {
      const requestId = randomUUID();
      const { status, headers, body } = problemReply(error, requestId);
      const text = JSON.stringify(body);
      response.writeHead(status, {
        ...headers,
        'X-Request-Id': requestId,
        'Content-Length': Buffer.byteLength(text),
        Connection: 'close',
      });
      response.end(text);
      return;
    }
    handler(request, response);
  };
