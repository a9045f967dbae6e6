/**
 * Every error that Vareon gives a name. One table decides the HTTP status, the problem title and whether
 * Temporal may try again; nobody else decides a status.
 */
const table = {
  bad_request: { status: 400, title: 'Bad request', retryable: false },
  unauthenticated: { status: 401, title: 'Login required', retryable: false },
  forbidden: { status: 403, title: 'Not permitted', retryable: false },
  not_found: { status: 404, title: 'Not found', retryable: false },
  request_timeout: { status: 408, title: 'The request took too long', retryable: true },
  conflict: { status: 409, title: 'Conflict', retryable: false },
  precondition_failed: { status: 412, title: 'Changed since you read it', retryable: false },
  too_large: { status: 413, title: 'Too large', retryable: false },
  unsupported_media_type: { status: 415, title: 'Unsupported media type', retryable: false },
  invalid: { status: 422, title: 'Invalid', retryable: false },
  rate_limited: { status: 429, title: 'Too many requests', retryable: true },
  headers_too_large: { status: 431, title: 'Headers too large', retryable: false },
  internal: { status: 500, title: 'Internal error', retryable: true },
  upstream_failed: { status: 502, title: 'An upstream service failed', retryable: true },
  unavailable: { status: 503, title: 'Unavailable', retryable: true },
  timeout: { status: 504, title: 'Timed out', retryable: true },
} as const;

export type ErrorCode = keyof typeof table;

export const errorCodes = Object.keys(table) as ErrorCode[];

export const errorInfo = (code: ErrorCode): { status: number; title: string; retryable: boolean } =>
  table[code];

/** One thing that is wrong with an input; `path` is a JSON pointer into it. */
export interface InputProblem {
  path: string;
  message: string;
}

export interface AppErrorDetails {
  errors?: InputProblem[];
  retryAfterSeconds?: number;
}

/** An error whose message a person can act on: what was wrong, the value seen, what would be right. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly details: AppErrorDetails;

  constructor(code: ErrorCode, message: string, details: AppErrorDetails = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AppError';
    this.code = code;
    this.details = details;
  }
}
