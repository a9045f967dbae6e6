import type { Json } from '../wire.ts';
import { SHOWN_VALUE_LIMIT_BYTES } from './runs.ts';

interface Measured {
  bytes: number;
  /** The beginning of the JSON, when the value is too large to be shown. */
  preview: string;
}

const PREVIEW_LENGTH = 1024;

/** Strings from this length on, and all objects and lists, are measured once: a fork asks about one value often. */
const KEPT_FROM_LENGTH = 16 * 1024;
const STRINGS_KEPT = 4;

/** Values of a run never change. */
const objects = new WeakMap<object, Measured>();
/** A weak map takes no strings: the latest ones. */
const strings = new Map<string, Measured>();

/** UTF-8 length of a value's JSON; workflows have no Buffer. */
export const byteLength = (value: Json): number => measured(value).bytes;

/** Whether shown() gives the value as it is. */
export const isShownWhole = (value: Json): boolean => measured(value).bytes <= SHOWN_VALUE_LIMIT_BYTES;

/** A value as people see it beside a step: a large one by its size and beginning. */
export function shown(value: Json): Json {
  const { bytes, preview } = measured(value);
  if (bytes <= SHOWN_VALUE_LIMIT_BYTES) return value;
  return { truncated: true, size_bytes: bytes, preview };
}

function measured(value: Json): Measured {
  if (typeof value === 'string')
    return value.length < KEPT_FROM_LENGTH ? measure(value) : measuredText(value);
  if (value === null || typeof value !== 'object') return measure(value);
  const known = objects.get(value);
  if (known) return known;
  const found = measure(value);
  if (found.bytes >= KEPT_FROM_LENGTH) objects.set(value, found);
  return found;
}

function measuredText(text: string): Measured {
  const known = strings.get(text);
  if (known) return known;
  const found = measure(text);
  const [oldest] = strings.keys();
  if (strings.size >= STRINGS_KEPT && oldest !== undefined) strings.delete(oldest);
  strings.set(text, found);
  return found;
}

function measure(value: Json): Measured {
  const text = JSON.stringify(value);
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 0x7f) bytes += code > 0x7ff && (code < 0xd800 || code > 0xdfff) ? 2 : 1;
  }
  return {
    bytes,
    preview: bytes > SHOWN_VALUE_LIMIT_BYTES ? text.slice(0, PREVIEW_LENGTH).toWellFormed() : '',
  };
}
