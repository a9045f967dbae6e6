/**
 * A DDSketch (Masson, Rim, Lee: VLDB 2019): how many values fell into which bin. A bin's values are within 1% of one
 * another's middle, so that what is read off it is, too; sketches are merged by adding counts of equal bins. Bins are
 * numbered in the order of their values: negative ones below 0, the value 0 is bin 0.
 *
 * As bytes it is bin (signed) and count (unsigned) of each bin, 32 bits each, the higher byte first; PostgreSQL makes
 * it of readings. One after the other, sketches are those of all their values together: a bin may come several times.
 * What is stored depends on all this: it never changes.
 */
const ERROR = 0.01;
const GAMMA = (1 + ERROR) / (1 - ERROR);
const LOG = Math.log(GAMMA);

/** More than the logarithm of the smallest value (1e-290) is below 0, counted in bins. */
const OFFSET = 40_000;

/** No bin is further from 0: that of 1e290 is 73,388. */
const FURTHEST = 2 * OFFSET;

const ENTRY_BYTES = 8;

/** SQL for the bin of a value that is 0 or of 1e-290 to 1e290. */
export const binOf = (value: string): string =>
  `case when ${value} = 0 then 0
     else sign(${value})::int * (ceil(ln(abs(${value})) / ${LOG}::float8)::int + ${OFFSET}) end`;

/** SQL for a sketch, of rows that have a bin and a count. */
export const sketchOf = (bin: string, count: string): string =>
  `string_agg(int4send(${bin}) || int4send(${count}), '' order by ${bin})`;

/** SQL for what a row of `telemetry_rollups` has, whoever wrote it. */
export const sketchIn = (row: string): string =>
  `coalesce(${row}.sketch, telemetry_sketch(${row}.bins, ${row}.counts))`;

/** SQL for sketches together as text, which costs a third less on its way than bytes as PostgreSQL writes them. */
export const together = (sketch: string): string => `encode(string_agg(${sketch}, ''), 'base64')`;

/** A value within 1% of all of a bin's. */
const valueIn = (bin: number): number =>
  bin === 0 ? 0 : Math.sign(bin) * Math.exp((Math.abs(bin) - OFFSET) * LOG) * (2 / (1 + GAMMA));

/** Bins in their order, each once, and their counts. */
export interface Sketch {
  bins: Int32Array;
  counts: Float64Array;
}

/**
 * Merges sketches with room for every bin there may be (2 MB), so that an entry is one addition. One for all merges of a
 * question.
 */
export function createMerger() {
  const counts = new Float64Array(2 * FURTHEST + 1);
  const bins = new Int32Array(counts.length);
  let length = 0;

  function add(bin: number, count: number): void {
    const slot = bin + FURTHEST;
    const before = counts[slot] ?? 0;
    if (before === 0) bins[length++] = bin;
    counts[slot] = before + count;
  }

  return {
    /** @param bytes sketches, one after the other */
    addBytes(bytes: Buffer): void {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES)
        add(view.getInt32(at), view.getUint32(at + 4));
    },
    add(sketch: Sketch): void {
      for (let n = 0; n < sketch.bins.length; n++) add(sketch.bins[n] ?? 0, sketch.counts[n] ?? 0);
    },
    /** All that was added; what is added from now on begins anew. */
    take(): Sketch {
      const merged = bins.slice(0, length).sort(); // numbers by their size: it is no Array
      const theirs = new Float64Array(length);
      for (let n = 0; n < length; n++) {
        const slot = (merged[n] ?? 0) + FURTHEST;
        theirs[n] = counts[slot] ?? 0;
        counts[slot] = 0;
      }
      length = 0;
      return { bins: merged, counts: theirs };
    },
  };
}

export type Merger = ReturnType<typeof createMerger>;

export function bytesOf({ bins, counts }: Sketch): Buffer {
  const bytes = Buffer.allocUnsafe(bins.length * ENTRY_BYTES);
  for (let n = 0; n < bins.length; n++) {
    bytes.writeInt32BE(bins[n] ?? 0, n * ENTRY_BYTES);
    bytes.writeUInt32BE(counts[n] ?? 0, n * ENTRY_BYTES + 4);
  }
  return bytes;
}

/** The value that a share (0 to 1) of all values does not pass, by the nearest rank, within 1%. */
export function valueAt({ bins, counts }: Sketch, share: number): number {
  const rank = share * counts.reduce((sum, count) => sum + count, 0);
  let upto = 0;
  for (let n = 0; n < bins.length; n++) {
    upto += counts[n] ?? 0;
    if (upto >= rank) return valueIn(bins[n] ?? 0);
  }
  return Number.NaN;
}
