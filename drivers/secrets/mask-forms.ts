import type { Json } from '../../domain/wire.ts';

const SHORTEST = 4;

export interface Forms {
  plain: string[];
  /** Programs break base64 into lines anywhere. */
  base64: string[];
}

/**
 * How a secret may be spelled: as it is, each of its lines, as text in JSON (once and twice), in a URL or a form, and
 * in base64 (both alphabets) alone or as a part of something, such as `user:password`. Of an object each value counts.
 */
export function formsOf(values: readonly Json[]): Forms {
  const texts = [...new Set(values.flatMap(leaves).flatMap((text) => [text, ...lines(text)]))].filter(isLong);
  return { plain: unique(texts.flatMap(spellings)), base64: unique(texts.flatMap(encodings)) };
}

const unique = (forms: string[]) => [...new Set(forms.filter(isLong))];

const isLong = (text: string) => text.length >= SHORTEST;

function leaves(value: Json): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value === 'number') return [String(value)];
  if (value === null || typeof value !== 'object') return [];
  // An object may also be written as a whole.
  return [...Object.values(value).flatMap(leaves), JSON.stringify(value)];
}

/** Programs print a text line by line, and add or drop spaces around it. */
const lines = (text: string): string[] => [text.trim(), ...text.split(/\r?\n/).map((line) => line.trim())];

function spellings(text: string): string[] {
  const quoted = JSON.stringify(text).slice(1, -1);
  const inUrl = encodeURIComponent(text.toWellFormed());
  const lower = inUrl.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());
  const form = new URLSearchParams([['', text]]).toString().slice(1);
  const strict = inUrl.replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return [text, quoted, JSON.stringify(quoted).slice(1, -1), inUrl, lower, strict, form];
}

function encodings(text: string): string[] {
  const encoded = [0, 1, 2].flatMap((offset) => base64At(text, offset));
  return [...encoded, ...encoded.map((base64) => base64.replaceAll('+', '-').replaceAll('/', '_'))];
}

/**
 * Base64 of a text when `offset` (0 to 2) bytes stand before it (RFC 4648, section 4): the characters that it alone
 * decides, and those up to the end when nothing follows, with and without padding.
 */
function base64At(text: string, offset: number): string[] {
  const bytes = Buffer.from(text);
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
  const first = Math.ceil((offset * 8) / 6);
  const last = Math.floor(((offset + bytes.length) * 8) / 6);
  const toEnd = encoded.slice(first);
  return [encoded.slice(first, last), toEnd, toEnd.replace(/=+$/, '')];
}
