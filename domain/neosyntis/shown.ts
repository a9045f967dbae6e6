import type { Json } from '../wire.ts';
import { SHOWN_VALUE_LIMIT_BYTES } from './runs.ts';

/** UTF-8 length of a value's JSON; workflows have no Buffer. */
export function byteLength(value: Json): number {
  const text = JSON.stringify(value);
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 0x7f) bytes += code > 0x7ff && (code < 0xd800 || code > 0xdfff) ? 2 : 1;
  }
  return bytes;
}

/** A value as people see it beside a step: a large one by its size and beginning. */
export function shown(value: Json): Json {
  const bytes = byteLength(value);
  if (bytes <= SHOWN_VALUE_LIMIT_BYTES) return value;
  return { truncated: true, size_bytes: bytes, preview: JSON.stringify(value).slice(0, 1024).toWellFormed() };
}
