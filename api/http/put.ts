import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { AppError } from '../../domain/errors.ts';
import { pointer } from '../../domain/pointer.ts';

/**
 * What a PUT changes. The body may be the whole thing as GET gave it or a part of it; fields that cannot be
 * written count when they are unchanged.
 * @param current the thing as GET shows it now.
 * @param body checked against a schema that knows every field of it.
 * @throws AppError `invalid` naming each read-only field that differs.
 */
export function changesOf<T extends object, K extends keyof T & string>(
  current: T,
  body: Partial<T>,
  writable: readonly K[],
): Partial<Pick<T, K>> {
  const changes: Partial<Pick<T, K>> = {};
  const errors: { path: string; message: string }[] = [];
  for (const key of Object.keys(body) as (keyof T & string)[]) {
    // its keys are T's: the schema knows no others
    if (isDeepStrictEqual(body[key], current[key])) continue;
    if (isOneOf(writable, key)) changes[key] = body[key];
    else
      errors.push({
        path: pointer('', key),
        message: `"${key}" cannot be changed here; it is ${JSON.stringify(current[key])}`,
      });
  }
  const [first] = errors;
  if (first) throw new AppError('invalid', `A read-only field would change: ${first.message}.`, { errors });
  return changes;
}

const isOneOf = <K extends string>(keys: readonly K[], key: string): key is K =>
  keys.some((known) => known === key);

/** A strong entity tag (RFC 9110, 8.8.3) of what is answered. */
export const etagOf = (value: unknown): string =>
  `"${createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, 22)}"`;

/**
 * Honours `If-Match` (RFC 9110, 13.1.1); call it with the thing locked, in the transaction that changes it.
 * @param ifMatch the header's value; empty when it was not sent.
 * @throws AppError `precondition_failed` when the caller has read another version.
 */
export function requireMatch(ifMatch: string, etag: string): void {
  if (ifMatch === '' || ifMatch.trim() === '*') return;
  if (ifMatch.split(',').some((tag) => tag.trim() === etag)) return;
  throw new AppError('precondition_failed', `If-Match is ${ifMatch}, but now it is ${etag}: read it again.`);
}
