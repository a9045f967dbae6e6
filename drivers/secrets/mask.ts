import type { Json } from '../../domain/wire.ts';
import { formsOf } from './mask-forms.ts';

const MASK = '***';
const PREFIX = 4;

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
  const find = createFinder(formsOf(values));
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

/** What begins at a position: the longest form that is there whole, and whether more text could make a longer one. */
type Finder = (text: string, at: number) => { length: number; isOpen: boolean };

const nothing = { length: 0, isOpen: false };

/**
 * Forms are looked up by their first characters and then by their length, so that a long text costs one look at each
 * of its characters, however many forms there are.
 */
function createFinder(forms: readonly string[]): Finder {
  const sorted = [...forms].sort();
  const starts = new Uint8Array(0x10000);
  const byPrefix = new Map<string, { forms: Set<string>; lengths: number[] }>();
  for (const form of sorted) {
    starts[form.charCodeAt(0)] = 1;
    const prefix = form.slice(0, PREFIX);
    const group = byPrefix.get(prefix) ?? { forms: new Set(), lengths: [] };
    byPrefix.set(prefix, group);
    group.forms.add(form);
    if (!group.lengths.includes(form.length)) group.lengths.push(form.length);
  }
  for (const { lengths } of byPrefix.values()) lengths.sort((one, other) => other - one);
  return (text, at) => {
    if (starts[text.charCodeAt(at)] !== 1) return nothing;
    const left = text.length - at;
    const group = left < PREFIX ? undefined : byPrefix.get(text.slice(at, at + PREFIX));
    if (left >= PREFIX && !group) return nothing;
    const fits = (length: number) => length <= left && group?.forms.has(text.slice(at, at + length));
    const longest = group?.lengths[0] ?? PREFIX;
    const isOpen = longest > left && beginsOne(sorted, text.slice(at));
    return { length: group?.lengths.find(fits) ?? 0, isOpen };
  };
}

/** Whether any of these, in order, begins with a text and is longer. */
function beginsOne(sorted: readonly string[], text: string): boolean {
  let from = 0;
  let to = sorted.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((sorted[middle] ?? '') <= text) from = middle + 1;
    else to = middle;
  }
  return sorted[from]?.startsWith(text) === true;
}

/** Overlapping secrets become one mask: their union is hidden. */
function createFilter(find: Finder): TextFilter {
  let held = '';
  /** So many characters of `held` belong to a secret whose mask is out already. */
  let covered = 0;

  function read(text: string, isEnd: boolean): string {
    const all = held + text;
    let out = '';
    let from = covered;
    let end = covered;
    let at = 0;
    for (; at < all.length; at++) {
      const { length, isOpen } = find(all, at);
      if (isOpen && !isEnd) break;
      if (length === 0 || at + length <= end) continue;
      if (at >= end) out += all.slice(from, at) + MASK;
      end = at + length;
      from = end;
    }
    if (from < at) out += all.slice(from, at);
    held = all.slice(at);
    covered = Math.max(0, end - at);
    return out;
  }

  return { push: (text) => read(text, false), end: () => read('', true) };
}
