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
  if (isDatabaseBusy(error))
    return new AppError('unavailable', 'The database is busy with something else; try again.', {
      retryAfterSeconds: 2,
    });
  if (isTemporalDown(error))
    return new AppError('unavailable', 'Temporal cannot be reached; try again.', { retryAfterSeconds: 2 });
  return new AppError('internal', 'Something went wrong on our side; the request id finds it in the log.');
}

interface Failure {
  code?: unknown;
  cause?: unknown;
  message?: unknown;
}

/** Whether it is true of an error, or of what caused it. */
const anyOf = (error: unknown, is: (failure: { code: string; message: string }) => boolean): boolean => {
  const { code, cause, message } = (error ?? {}) as Failure;
  if (is({ code: String(code ?? ''), message: String(message ?? '') })) return true;
  return cause !== undefined && cause !== error && anyOf(cause, is);
};

/** Codes of Node's sockets, PostgreSQL's classes 08 (connection), 57P (shutdown) and 53 (resources), and what pg says. */
const isDatabaseDown = (error: unknown): boolean =>
  anyOf(
    error,
    ({ code, message }) =>
      /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|08|57P|53)/.test(code) ||
      /^(Connection terminated|timeout exceeded when trying to connect|timeout expired)/.test(message) ||
      /^Client (has encountered a connection error|was closed) and is not queryable/.test(message),
  );

/**
 * Codes of PostgreSQL: what took too long (57014, 25P03: others hold what it needs, or this process was held up), and what
 * gave way to another transaction (40001, 40P01, 55P03). What the transaction would have written is not.
 */
const isDatabaseBusy = (error: unknown): boolean =>
  anyOf(error, ({ code }) => ['57014', '25P03', '40001', '40P01', '55P03'].includes(code));

/** gRPC's UNAVAILABLE (14), DEADLINE_EXCEEDED (4), RESOURCE_EXHAUSTED (8) and CANCELLED by a closed channel (1). */
function isTemporalDown(error: unknown): boolean {
  const { name, cause } = (error ?? {}) as { name?: unknown; cause?: { code?: unknown } };
  return (
    (name === 'ServiceError' || name === 'GrpcServiceError') && [1, 4, 8, 14].includes(Number(cause?.code))
  );
}
