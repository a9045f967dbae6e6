import type { Json } from '../../domain/wire.ts';
import { createFinder, type Finder } from './mask-finder.ts';
import { formsOf } from './mask-forms.ts';

const MASK = '***';

/** Text that comes in pieces; what might be the beginning of a secret is held back until more comes. */
export interface TextFilter {
  push(text: string): string;
  end(): string;
}

/** Replaces secrets by `***`, in any of the forms that `formsOf` knows. */
export interface Masker {
  text(text: string): string;
  /** Every string, key and number within a value. */
  json(value: Json): Json;
  stream(): TextFilter;
}

/** @param values of secrets; what is shorter than 4 characters is too common a text to be masked. */
export function createMasker(values: readonly Json[]): Masker {
  const forms = formsOf(values);
  const find = { plain: createFinder(forms.plain), base64: createFinder(forms.base64) };
  const text = (given: string): string => {
    const filter = createFilter(find);
    return filter.push(given) + filter.end();
  };
  const json = (value: Json): Json => {
    if (typeof value === 'string') return text(value);
    if (typeof value === 'number') return text(String(value)) === String(value) ? value : MASK;
    if (Array.isArray(value)) return value.map(json);
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [text(key), json(item)]));
  };
  return { text, json, stream: () => createFilter(find) };
}

interface Finders {
  plain: Finder;
  base64: Finder;
}

/** From a position up to another one. */
type Span = [from: number, to: number];

/** Overlapping secrets become one mask: their union is hidden. */
function createFilter(find: Finders): TextFilter {
  let held = '';
  /** So many characters of `held` belong to a secret whose mask is out already. */
  let covered = 0;

  function read(text: string, isEnd: boolean): string {
    const all = held + text;
    const plain = scan(all, find.plain, isEnd);
    const compact = scan(all, find.base64, isEnd, withoutLineEnds(all));
    const cut = Math.min(plain.openAt, compact.openAt);
    const spans = [...plain.spans, ...compact.spans].sort(([one], [other]) => one - other);
    let out = '';
    let end = covered;
    for (const [from, to] of spans) {
      if (from >= cut) break;
      if (from >= end) out += all.slice(end, from) + MASK;
      end = Math.max(end, to);
    }
    if (end < cut) out += all.slice(end, cut);
    held = all.slice(cut);
    covered = Math.max(0, end - cut);
    return out;
  }

  return { push: (text) => read(text, false), end: () => read('', true) };
}

/**
 * Where secrets stand in a text, and the first place where one may begin that goes on after its end.
 * @param isEnd nothing goes on.
 * @param at the positions of the text that count; all when absent.
 */
function scan(all: string, find: Finder, isEnd: boolean, at?: Int32Array): { spans: Span[]; openAt: number } {
  const text = at ? all.replaceAll(LINE_END, '') : all;
  const place = (index: number) => (at ? (at[index] ?? all.length) : index);
  const spans: Span[] = [];
  let end = 0;
  for (let index = 0; index < text.length; index++) {
    const { length, isOpen } = find(text, index);
    if (length > 0 && index + length > end) {
      end = index + length;
      spans.push([place(index), place(end - 1) + 1]);
    }
    if (isOpen && !isEnd) return { spans, openAt: place(index) };
  }
  return { spans, openAt: all.length };
}

const LINE_END = /[\r\n]/g;
const isLineEnd = (code: number) => code === 10 || code === 13;

/** The positions of a text's characters but for its line ends; nothing when it has none. */
const withoutLineEnds = (text: string): Int32Array | undefined => {
  if (!/[\r\n]/.test(text)) return undefined;
  const kept = new Int32Array(text.length);
  let count = 0;
  for (let index = 0; index < text.length; index++)
    if (!isLineEnd(text.charCodeAt(index))) kept[count++] = index;
  return kept.subarray(0, count);
};
