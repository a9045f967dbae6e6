import type { Json } from '../wire.ts';
import { byteLength } from './shown.ts';

/** Levels of objects and lists in a value of a run: JSON's writer, jq and PostgreSQL end at some thousands. */
export const VALUE_DEPTH_LIMIT = 200;

/** Values of a run never change. */
const known = new WeakSet<object>();

/** Whether a value has more levels than that. */
export function isTooDeep(value: Json): boolean {
  // Each level takes two brackets.
  if (value === null || typeof value !== 'object' || byteLength(value) <= 2 * VALUE_DEPTH_LIMIT) return false;
  if (known.has(value)) return false;
  if (isDeeper(value, VALUE_DEPTH_LIMIT)) return true;
  known.add(value);
  return false;
}

const isDeeper = (value: Json, levels: number): boolean =>
  value !== null &&
  typeof value === 'object' &&
  (levels === 0 || Object.values(value).some((item) => isDeeper(item, levels - 1)));
