import type { IncomingMessage } from 'node:http';
import getRawBody from 'raw-body';
import { parse } from 'secure-json-parse';
import { AppError } from '../../domain/errors.ts';
import { unstorable } from '../../domain/storable.ts';

export const BODY_LIMIT_BYTES = 1024 * 1024;

/**
 * Reads a request's body of JSON (or a form).
 * @throws AppError `too_large` over the limit (1 MiB unless the route has another), `unsupported_media_type`, `bad_request` for what is not JSON,
 * `invalid` for text that no store can hold (NUL, lone surrogates) or nesting over 100 levels.
 */
export async function readBody(
  request: IncomingMessage,
  accepts: {
    form: boolean;
    limitBytes?: number | undefined;
    /** Other media types, and how each is read. */
    reads?: Record<string, (text: string) => unknown> | undefined;
  },
): Promise<unknown> {
  const type = (request.headers['content-type'] ?? 'application/json').split(';')[0]?.trim().toLowerCase();
  const text = await readText(request, accepts.limitBytes ?? BODY_LIMIT_BYTES);
  if (text === '') return undefined;
  if (accepts.form && type === 'application/x-www-form-urlencoded')
    return storable(Object.fromEntries(new URLSearchParams(text)));
  const read = type !== undefined && Object.hasOwn(accepts.reads ?? {}, type) && accepts.reads?.[type];
  if (read) return storable(read(text));
  if (type !== 'application/json' && !type?.endsWith('+json'))
    throw new AppError(
      'unsupported_media_type',
      `The body is ${type}; send ${['application/json', ...Object.keys(accepts.reads ?? {})].join(' or ')}.`,
    );
  return storable(parseJson(text));
}

async function readText(request: IncomingMessage, limit: number): Promise<string> {
  try {
    const length = request.headers['content-length'];
    return await getRawBody(request, {
      limit,
      encoding: 'utf8',
      ...(length ? { length } : {}),
    });
  } catch (error) {
    const { type } = error as { type?: string }; // raw-body's errors carry a type
    if (type === 'entity.too.large')
      throw new AppError('too_large', `The body is larger than ${limit} bytes.`, {}, { cause: error });
    throw new AppError('bad_request', 'The body could not be read to its end.', {}, { cause: error });
  }
}

function parseJson(text: string): unknown {
  try {
    return parse(text, { protoAction: 'error', constructorAction: 'error' });
  } catch (error) {
    // V8 quotes what stands around the mistake, which may be a password or a secret.
    const reason = (error instanceof Error ? error.message : String(error)).replace(/, (\.\.\.)?".*$/s, '');
    throw new AppError(
      'bad_request',
      `The body is not JSON that can be accepted: ${reason}`,
      {},
      { cause: error },
    );
  }
}

/** Refuses what PostgreSQL cannot store, so that it never becomes an error of the database. */
export function storable<T>(value: T): T {
  const found = unstorable(value);
  if (!found) return value;
  const { path, what } = found;
  throw new AppError('invalid', `${path || 'The value'} ${what}.`, { errors: [{ path, message: what }] });
}
