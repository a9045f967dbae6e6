import { type Static, Type } from 'typebox';
import { pointer } from '../pointer.ts';
import { AnyJson, type Json, literals, nullable } from '../wire.ts';
import { isObject } from './json.ts';

/** One difference between two documents. */
export const VersionChange = Type.Object(
  {
    change: literals(['added', 'removed', 'moved', 'replaced']),
    path: Type.String({
      description: 'JSON pointer into the newer document; into the older one of what was removed',
      examples: ['/do/0/measure/set/celsius'],
    }),
    from_path: nullable(Type.String({ description: 'where it stood in the older document, if elsewhere' })),
    task: nullable(Type.String({ description: 'the name of the task in which it is' })),
    before: Type.Optional(AnyJson),
    after: Type.Optional(AnyJson),
  },
  { $id: 'VersionChange' },
);
export type VersionChange = Static<typeof VersionChange>;

interface Place {
  from: string;
  to: string;
  task: string | null;
}

/**
 * What one document has otherwise than another: items of lists of tasks are compared with those of the same name,
 * objects by key, all else as a whole. It takes time in proportion to the documents.
 */
export function documentChanges(before: unknown, after: unknown): VersionChange[] {
  const found: VersionChange[] = [];
  compare(before, after, { from: '', to: '', task: null }, found);
  return found;
}

function compare(before: unknown, after: unknown, place: Place, found: VersionChange[]): void {
  const [one, other] = [namesOf(before), namesOf(after)];
  // A list that is empty, too, when the other one has tasks.
  if (one && other && one.length + other.length > 0) compareLists(before, after, one, other, place, found);
  else if (isObject(before) && isObject(after)) compareObjects(before, after, place, found);
  else if (Array.isArray(before) && Array.isArray(after) && before.length === after.length)
    for (const [at, item] of before.entries()) compare(item, after[at], below(place, at, at), found);
  else if (JSON.stringify(before) !== JSON.stringify(after))
    found.push({ change: 'replaced', ...shown(place), before: before as Json, after: after as Json }); // documents are JSON
}

function compareObjects(
  before: Record<string, unknown>,
  after: Record<string, unknown>,
  place: Place,
  found: VersionChange[],
): void {
  for (const [key, value] of Object.entries(before))
    if (Object.hasOwn(after, key)) compare(value, after[key], below(place, key, key), found);
    else found.push(removed(below(place, key, key), value));
  for (const [key, value] of Object.entries(after))
    if (!Object.hasOwn(before, key)) found.push(added(below(place, key, key), value));
}

function compareLists(
  before: unknown,
  after: unknown,
  one: string[],
  other: string[],
  place: Place,
  found: VersionChange[],
): void {
  const [older, newer] = [before as Item[], after as Item[]]; // they have names
  const positions = new Map(other.map((name, at) => [name, at]));
  const inTask = (name: string, from: number, to: number): Place => {
    const { from: old, to: now } = below(place, from, to);
    return { from: pointer(old, name), to: pointer(now, name), task: name };
  };
  for (const [at, name] of one.entries())
    if (!positions.has(name)) found.push(removed(inTask(name, at, at), older[at]?.[name]));
  const kept = new Map(one.filter((name) => positions.has(name)).map((name, rank) => [name, rank]));
  const stays = longestInOrder(other.flatMap((name) => kept.get(name) ?? []));
  const past = new Map(one.map((name, at) => [name, at]));
  for (const [at, name] of other.entries()) {
    const from = past.get(name);
    const rank = kept.get(name);
    if (from === undefined || rank === undefined) {
      found.push(added(inTask(name, at, at), newer[at]?.[name]));
      continue;
    }
    const here = inTask(name, from, at);
    if (!stays.has(rank)) found.push({ change: 'moved', ...shown(here) });
    compare(older[from]?.[name], newer[at]?.[name], here, found);
  }
}

type Item = Record<string, unknown>;

/** The names of a list whose items have one key each, all different: tasks, branches, cases. */
function namesOf(value: unknown): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const names = value.map((item) => (isObject(item) ? Object.keys(item) : []));
  const firsts = names.flatMap((keys) => (keys.length === 1 ? keys : []));
  return firsts.length === value.length && new Set(firsts).size === firsts.length ? firsts : undefined;
}

/** The longest part of these numbers that rises: whatever is not in it has moved. */
function longestInOrder(ranks: number[]): Set<number> {
  const tails: number[] = []; // position in `ranks` of the smallest end of a part so long
  const before: (number | undefined)[] = [];
  for (const [at, rank] of ranks.entries()) {
    let [low, high] = [0, tails.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ranks[tails[middle] ?? 0] ?? 0) < rank) low = middle + 1;
      else high = middle;
    }
    before[at] = low > 0 ? tails[low - 1] : undefined;
    tails[low] = at;
  }
  const kept = new Set<number>();
  for (let at = tails.at(-1); at !== undefined; at = before[at]) kept.add(ranks[at] ?? 0);
  return kept;
}

const below = ({ from, to, task }: Place, old: string | number, now: string | number): Place => ({
  from: pointer(from, old),
  to: pointer(to, now),
  task,
});

const shown = ({ from, to, task }: Place) => ({ path: to, from_path: from === to ? null : from, task });
const added = ({ to, task }: Place, after: unknown): VersionChange => ({
  change: 'added',
  ...{ path: to, from_path: null, task, after: after as Json },
});
const removed = ({ from, task }: Place, before: unknown): VersionChange => ({
  change: 'removed',
  ...{ path: from, from_path: null, task, before: before as Json },
});
