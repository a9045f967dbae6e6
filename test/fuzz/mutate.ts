import fc from 'fast-check';
import { hostileText, hostileValue } from './hostile.ts';

/** One change somewhere in a JSON value. */
export interface Mutation {
  /** Which of the places in the value, counted round. */
  at: number;
  how: 'replace' | 'remove' | 'add' | 'rename' | 'twice' | 'wrap' | 'text';
  name: string;
  value: unknown;
}

export const mutation: fc.Arbitrary<Mutation> = fc.record({
  at: fc.nat(500),
  how: fc.constantFrom('replace', 'replace', 'remove', 'add', 'rename', 'twice', 'wrap', 'text'),
  name: hostileText,
  value: hostileValue,
});

type Holder = Record<string, unknown> | unknown[];

/** The value with all mutations, one after another. */
export function mutate(value: unknown, mutations: readonly Mutation[]): unknown {
  const root = { value: structuredClone(value) };
  for (const change of mutations) {
    const places = placesIn(root);
    const place = places[change.at % places.length];
    if (place) apply(place, change);
  }
  return root.value;
}

const MOST_PLACES = 2_000;

function placesIn(root: Holder): { holder: Holder; key: string }[] {
  const places: { holder: Holder; key: string }[] = [];
  const open: Holder[] = [root];
  for (let holder = open.shift(); holder && places.length < MOST_PLACES; holder = open.shift())
    for (const [key, item] of Object.entries(holder)) {
      places.push({ holder, key });
      if (item !== null && typeof item === 'object') open.push(item as Holder); // an object or a list
    }
  return places;
}

function apply({ holder, key }: { holder: Holder; key: string }, change: Mutation): void {
  const { how, name } = change;
  // Later changes reach into it.
  const value = structuredClone(change.value);
  const old = read(holder, key);
  if (how === 'remove') remove(holder, key);
  else if (how === 'wrap') set(holder, key, [old]);
  else if (how === 'text') set(holder, key, typeof old === 'string' ? old + name : String(name));
  else if (how === 'rename') {
    remove(holder, key);
    set(holder, Array.isArray(holder) ? key : name, old);
  } else if (how === 'twice' && Array.isArray(holder)) holder.push(structuredClone(old));
  else if (how === 'add' && old !== null && typeof old === 'object')
    set(old as Holder, name, value); // just checked
  else set(holder, key, value);
}

const read = (holder: Holder, key: string): unknown => (holder as Record<string, unknown>)[key]; // key is one of its own

/** Also for `__proto__`, which shall be a property like others. */
function set(holder: Holder, key: string, value: unknown): void {
  if (Array.isArray(holder)) holder.splice(Number(key) || 0, 1, value);
  else Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });
}

function remove(holder: Holder, key: string): void {
  if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else delete holder[key];
}
