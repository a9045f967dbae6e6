import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../../domain/errors.ts';
import { problemReply } from './problems.ts';

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
    try {
      targetOf(request);
    } catch (error) {
      const requestId = randomUUID();
      const { status, headers, body } = problemReply(error, requestId);
      response.writeHead(status, { ...headers, 'X-Request-Id': requestId });
      response.end(JSON.stringify(body));
      return;
    }
    handler(request, response);
  };
