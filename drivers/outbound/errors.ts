import { OutboundError } from './port.ts';

const broken = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_SOCKET',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH', // it ended before the answer did
]);

/**
 * What went wrong, in words that name no address: those of sockets and resolvers do.
 * @param sent whether the other side may have the request.
 */
export function asOutboundError(error: unknown, sent: boolean): OutboundError {
  if (error instanceof OutboundError) {
    error.sent ||= sent;
    return error;
  }
  const code = codeOf(error);
  if (code === 'ENOTFOUND' || code === 'EAI_NODATA')
    return new OutboundError('unresolved', `the host name has no address (${code})`, sent);
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT')
    return new OutboundError('timeout', 'no connection was made in time', sent);
  if (code === 'UND_ERR_HEADERS_OVERFLOW')
    return new OutboundError('too_large', 'the headers of the answer are larger than the limit', sent);
  if (broken.has(code) || code.startsWith('EAI_'))
    return new OutboundError(
      'connection',
      sent ? `the connection broke (${code})` : `no connection could be made (${code})`,
      sent,
    );
  if (/CERT|TLS|SSL/.test(code)) return new OutboundError('protocol', `TLS failed (${code})`, sent);
  if (/^(HPE_|Z_|ERR_|UND_ERR_)/.test(code))
    return new OutboundError('protocol', `the answer cannot be read (${code})`, sent);
  return new OutboundError('connection', `the connection failed (${code || 'unknown'})`, sent);
}

function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown }; // Node's and undici's errors carry one
  if (typeof code === 'string') return code.slice(0, 60);
  return name === 'HTTPParserError' ? 'HPE_INVALID' : '';
}
