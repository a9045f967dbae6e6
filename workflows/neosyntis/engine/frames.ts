import { byteLength } from '../../../domain/neosyntis/shown.ts';
import type { Json } from '../../../domain/wire.ts';

/** Where one level of a run stands (a list, a task, a loop, …), as data: whoever takes it goes on from there. */
export interface Frame {
  /** The executor's own: small, and JSON. */
  state: object;
  /** Values of the run, each up to the largest size. */
  values?: { [name: string]: Json };
  /** Of what runs inside; nothing when that has not begun. */
  inside?: Frame | undefined;
  /** Of what runs side by side inside. */
  branches?: { [index: string]: Frame };
}

/** A value of a frame, which may be null; nothing when there is no frame. */
export const valueIn = (frame: Frame | undefined, name: string): Json | undefined => frame?.values?.[name];

/**
 * Thrown at a safe point when a run is to go on in another execution: no error, so nothing catches it, and each level
 * on the way out puts its frame around the ones inside.
 */
export class Unwound {
  /** Nothing when what was to run has not begun. */
  readonly frame: Frame | undefined;

  constructor(frame?: Frame) {
    this.frame = frame;
  }
}

/** Does the work; a frame that comes out of it goes on inside of this level's. */
export async function framed<T>(
  work: () => Promise<T>,
  frame: (inside: Frame | undefined) => Frame,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof Unwound ? new Unwound(frame(error.frame)) : error;
  }
}

/** A frame whose values stand in bundles, by their number and position there. */
interface PackedFrame {
  state: object;
  values: { [name: string]: [bundle: number, at: number] };
  inside?: PackedFrame;
  branches?: { [index: string]: PackedFrame };
}

export interface Packed {
  frame: PackedFrame;
  /** Each is a payload of its own. */
  bundles: Json[][];
}

/** A value of this size has a bundle of its own, which is the same payload each time, and stored once. */
const LARGE_BYTES = 256 * 1024;

const BUNDLE_BYTES = 4 * 1024 * 1024;

/** Takes the values out of a frame: a payload that is too large for Temporal goes by reference, a message does not. */
export function pack(frame: Frame): Packed {
  const bundles: Json[][] = [[]];
  const places = new Map<Json, [number, number]>();
  let open = 0;
  let bytes = 0;

  function placeOf(value: Json): [number, number] {
    const known = places.get(value);
    if (known) return known;
    const size = byteLength(value);
    if (size >= LARGE_BYTES) return put(value, bundles.push([]) - 1);
    bytes += size;
    if (bytes > BUNDLE_BYTES) {
      open = bundles.push([]) - 1;
      bytes = size;
    }
    return put(value, open);
  }

  function put(value: Json, at: number): [number, number] {
    const place: [number, number] = [at, (bundles[at]?.push(value) ?? 1) - 1];
    places.set(value, place);
    return place;
  }

  function packed({ state, values = {}, inside, branches }: Frame): PackedFrame {
    return {
      state,
      values: mapped(values, placeOf),
      ...(inside ? { inside: packed(inside) } : {}),
      ...(branches ? { branches: mapped(branches, packed) } : {}),
    };
  }
  return { frame: packed(frame), bundles };
}

/** @throws TypeError when a bundle is missing. */
export function unpack({ frame, bundles }: Packed): Frame {
  const valueAt = ([bundle, at]: [number, number]): Json => {
    const value = bundles[bundle]?.[at];
    if (value === undefined) throw new TypeError(`there is no value ${at} in bundle ${bundle}`);
    return value;
  };
  const unpacked = ({ state, values, inside, branches }: PackedFrame): Frame => ({
    state,
    values: mapped(values, valueAt),
    ...(inside ? { inside: unpacked(inside) } : {}),
    ...(branches ? { branches: mapped(branches, unpacked) } : {}),
  });
  return unpacked(frame);
}

function mapped<A, B>(object: { [key: string]: A }, map: (value: A) => B): { [key: string]: B } {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value)]));
}
