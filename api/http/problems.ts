import { AppError, type ErrorCode, errorInfo } from '../../domain/errors.ts';
import type { Reply } from './route.ts';

/** The answer for an error: problem details for those that have a name, a bare 500 for all others. */
export function problemReply(error: unknown, requestId: string): Reply {
  const known = named(error);
  const { status, title } = errorInfo(known.code);
  const { errors, retryAfterSeconds } = known.details;
  return {
    status,
    headers: {
      'Content-Type': 'application/problem+json',
      ...(retryAfterSeconds === undefined ? {} : { 'Retry-After': String(Math.ceil(retryAfterSeconds)) }),
      ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
    },
    body: {
      type: problemType(known.code),
      title,
      status,
      detail: known.message,
      code: known.code,
      request_id: requestId,
      ...(errors ? { errors } : {}),
    },
  };
}

export const problemType = (code: ErrorCode) => `https://vareon.dev/problems/${code}`;

/** Whether this is a fault of ours that belongs in the log with its stack. */
export const isUnexpected = (error: unknown) => named(error).code === 'internal';

function named(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (isDatabaseDown(error))
    return new AppError('unavailable', 'The database cannot be reached; try again.', {
      retryAfterSeconds: 2,
    });
  if (isTemporalDown(error))
    return new AppError('unavailable', 'Temporal cannot be reached; try again.', { retryAfterSeconds: 2 });
  return new AppError('internal', 'Something went wrong on our side; the request id finds it in the log.');
}

/** Codes of Node's sockets, and PostgreSQL's classes 08 (connection), 57P (shutdown) and 53 (resources). */
function isDatabaseDown(error: unknown): boolean {
  const { code, cause, message } = (error ?? {}) as { code?: unknown; cause?: unknown; message?: unknown };
  if (typeof code === 'string' && /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|08|57P|53)/.test(code))
    return true;
  if (
    typeof message === 'string' &&
    /^(Connection terminated|timeout exceeded when trying to connect)/.test(message)
  )
    return true;
  return cause !== undefined && cause !== error && isDatabaseDown(cause);
}

/** gRPC's UNAVAILABLE (14), DEADLINE_EXCEEDED (4), RESOURCE_EXHAUSTED (8) and CANCELLED by a closed channel (1). */
function isTemporalDown(error: unknown): boolean {
  const { name, cause } = (error ?? {}) as { name?: unknown; cause?: { code?: unknown } };
  return (
    (name === 'ServiceError' || name === 'GrpcServiceError') && [1, 4, 8, 14].includes(Number(cause?.code))
  );
}
