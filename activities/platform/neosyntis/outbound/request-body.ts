import type { Json } from '../../../../domain/wire.ts';

export interface Body {
  body?: string;
  /** With a content type, where the body needs one and none was given. */
  headers: Record<string, string>;
}

/**
 * The bytes of a body: text as it is, an object as a form where the content type says so, all else as JSON;
 * null is no body.
 */
export function bodyOf(value: Json | undefined, given: Readonly<Record<string, Json>>): Body {
  const headers = Object.fromEntries(Object.entries(given).map(([name, text]) => [name, String(text)]));
  if (value === undefined || value === null) return { headers };
  const type = Object.entries(headers).find(([name]) => name.toLowerCase() === 'content-type')?.[1];
  const typed = (standard: string) =>
    type === undefined ? { ...headers, 'content-type': standard } : headers;
  if (typeof value === 'string') return { body: value, headers: typed('text/plain; charset=utf-8') };
  const isForm = /^application\/x-www-form-urlencoded\s*(;|$)/i.test(type ?? '');
  if (isForm && typeof value === 'object' && !Array.isArray(value))
    return { body: queryString(value), headers };
  return { body: JSON.stringify(value), headers: typed('application/json') };
}

/** `a=1&b=2&b=3`; null leaves a name out, a list repeats it, and what is no scalar is given as JSON. */
export function queryString(values: Readonly<Record<string, Json>>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values))
    for (const item of Array.isArray(value) ? value : [value])
      if (item !== null) params.append(name, typeof item === 'object' ? JSON.stringify(item) : String(item));
  return params.toString();
}
