import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { AppError } from '../../domain/errors.ts';
import { problemReply } from './problems.ts';

/** What Node's HTTP parser says by its codes; everything else is no HTTP. */
const problems: Record<string, AppError> = {
  HPE_HEADER_OVERFLOW: new AppError('headers_too_large', 'The headers are larger than 16 KiB.'),
  ERR_HTTP_REQUEST_TIMEOUT: new AppError(
    'request_timeout',
    'The request took too long: 10 s for its headers, 60 s for all of it.',
  ),
};
const noHttp = new AppError('bad_request', 'This is no HTTP/1.1 request that can be accepted.');

/** Answers what is no request as a problem, as everything else is answered, and closes the connection. */
export function answerProtocolErrors(server: Server): void {
  server.on('clientError', (error: NodeJS.ErrnoException, stream: Duplex) => {
    // Half an answer may be on its way, which a second one would garble.
    const answering = (stream as Duplex & { _httpMessage?: { headersSent: boolean } })._httpMessage; // as Node itself looks
    if (error.code === 'ECONNRESET' || !stream.writable || answering?.headersSent) return stream.destroy();
    stream.end(rawAnswer(problems[error.code ?? ''] ?? noHttp), () => stream.destroy());
  });
}

function rawAnswer(error: AppError): string {
  const requestId = randomUUID();
  const { status, headers, body } = problemReply(error, requestId);
  const text = JSON.stringify(body);
  const lines = Object.entries({
    ...headers,
    'X-Request-Id': requestId,
    'Content-Length': Buffer.byteLength(text),
    Connection: 'close',
  }).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', text].join('\r\n');
}

/** Node asks whether a request with `Upgrade` shall be handled as one; all others are answered as what they are. */
export const isWebSocket = (request: IncomingMessage): boolean =>
  request.headers.upgrade?.toLowerCase() === 'websocket';
