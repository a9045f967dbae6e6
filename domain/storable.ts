import { pointer } from './pointer.ts';

const DEPTH_LIMIT = 100;

/** What of a JSON value PostgreSQL cannot store (NUL, half a surrogate pair), or nobody can handle (depth, 1e400). */
export function unstorable(value: unknown, path = '', depth = 0): { path: string; what: string } | undefined {
  if (depth > DEPTH_LIMIT) return { path: '', what: `is nested more than ${DEPTH_LIMIT} levels deep` };
  if (typeof value === 'string') return wrongText(value, path);
  // It would silently become null.
  if (typeof value === 'number' && !Number.isFinite(value))
    return { path, what: 'is a number beyond 1.8e308, the largest there is' };
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      const found = unstorable(item, `${path}/${index}`, depth + 1);
      if (found) return found;
    }
  } else if (value !== null && typeof value === 'object') {
    for (const [key, item] of Object.entries(value)) {
      const found = wrongText(key, path) ?? unstorable(item, pointer(path, key), depth + 1);
      if (found) return found;
    }
  }
  return undefined;
}

function wrongText(text: string, path: string): { path: string; what: string } | undefined {
  if (text.includes('\0')) return { path, what: 'holds a NUL character' };
  if (!text.isWellFormed()) return { path, what: 'holds half of a UTF-16 surrogate pair' };
  return undefined;
}

/** What a device says, as it can be stored: U+FFFD is in the place of NUL and of half a surrogate pair. */
export const storableText = (text: string): string => text.replaceAll('\0', '\uFFFD').toWellFormed();

/** The same with all its texts as they can be stored. */
export function storableCopy<T>(value: T): T {
  const visit = (each: unknown): unknown => {
    if (typeof each === 'string') return storableText(each);
    if (Array.isArray(each)) return each.map(visit);
    if (each === null || typeof each !== 'object') return each;
    return Object.fromEntries(Object.entries(each).map(([key, item]) => [storableText(key), visit(item)]));
  };
  return visit(value) as T; // the same shape: only characters of texts changed
}
