import type { KnownSeries, SeriesName } from '../../db/neosyntis/telemetry-series.ts';
import { seriesKey } from '../../db/neosyntis/telemetry-series.ts';
import type { Columns } from '../../db/neosyntis/telemetry-write.ts';
import type { IngestAnswer, Reading, RefusedRow } from '../../domain/neosyntis/telemetry.ts';
import { NAMED_ROWS } from '../../domain/neosyntis/telemetry-limits.ts';

/** Rows that are looked at before others have their turn: a millisecond or two. */
export const TURN_ROWS = 1_000;

/** Whether it is somebody else's turn after this row: then `await nextTurn()`. */
export const endsTurn = (row: number): boolean => row % TURN_ROWS === TURN_ROWS - 1;

/** What was read of a batch's body: readings by columns, series by their keys, rows that are refused. */
export function createBatch() {
  const slots = new Map<string, number>();
  const keys: string[] = [];
  const names: SeriesName[] = [];
  const slotOf: number[] = [];
  const at: number[] = [];
  const value: number[] = [];
  const rowOf: number[] = [];
  const unread = createRefusals();

  return {
    refuse: unread.refuse,
    add(row: number, reading: Reading): void {
      const key = seriesKey(reading);
      let slot = slots.get(key);
      if (slot === undefined) {
        slot = keys.length;
        slots.set(key, slot);
        keys.push(key);
        names.push(reading);
      }
      slotOf.push(slot);
      at.push(reading.atUs);
      value.push(reading.value);
      rowOf.push(row);
    },

    /** The series that readings are of, by their keys. */
    series: (): ReadonlyMap<string, SeriesName> =>
      new Map(keys.map((key, slot) => [key, names[slot] as SeriesName])), // one name a key

    /**
     * The readings to be written, of each series and time the last one, and the answer once that is done. Rows that a
     * series has a problem with are refused.
     * @param problemOf why nothing of a series, or nothing at a time, can be taken
     */
    settled(
      known: ReadonlyMap<string, KnownSeries>,
      problemOf: (name: SeriesName, series: KnownSeries | undefined, atUs: number) => string | undefined,
    ): { columns: Columns; answer(written: number): IngestAnswer } {
      const columns: Columns = { series: [], at: [], value: [] };
      const refusals = createRefusals(unread);
      let repeated = 0;
      const numbers = keys.map((key) => known.get(key));
      const placed = createPlaces(keys.length);
      for (let n = 0; n < at.length; n++) {
        const slot = slotOf[n] ?? 0;
        const [atUs = 0, number] = [at[n], numbers[slot]];
        const problem = problemOf(names[slot] as SeriesName, number, atUs); // one name a key
        if (problem !== undefined || !number) {
          refusals.refuse(rowOf[n] ?? 0, problem ?? 'its series is not known');
          continue;
        }
        const place = placed(slot, atUs);
        if (place < columns.at.length) repeated++;
        columns.series[place] = number.no;
        columns.at[place] = atUs;
        columns.value[place] = value[n] ?? 0;
      }
      return {
        columns,
        answer: (written) => ({
          accepted: written,
          duplicates: columns.at.length - written + repeated,
          refused: refusals.count(),
          rejected: refusals.named().toSorted((a, b) => a.row - b.row),
        }),
      };
    },
  };
}

interface Refusals {
  refuse(row: number, problem: string): void;
  count(): number;
  /** As many as an answer names. */
  named(): readonly RefusedRow[];
}

/** Counts rows that are refused, those of before among them, and keeps some by name. */
function createRefusals(before?: Refusals): Refusals {
  const named = [...(before?.named() ?? [])];
  let count = before?.count() ?? 0;
  return {
    refuse(row, problem) {
      count++;
      if (named.length < NAMED_ROWS) named.push({ row, problem });
    },
    count: () => count,
    named: () => named,
  };
}

export type Batch = ReturnType<typeof createBatch>;

/**
 * Tells at which place of the columns a series' time stands already, or takes the next one. While times only grow,
 * as they mostly do, nothing but the newest of each series has to be known.
 */
function createPlaces(series: number) {
  const newest = new Float64Array(series).fill(Number.NEGATIVE_INFINITY);
  const taken: { slot: number; atUs: number }[] = [];
  let places: Map<string, number> | undefined;
  return (slot: number, atUs: number): number => {
    const isNewer = atUs > (newest[slot] ?? 0);
    if (!places && !isNewer) places = new Map(taken.map((one, place) => [`${one.slot} ${one.atUs}`, place]));
    const place = isNewer ? undefined : places?.get(`${slot} ${atUs}`);
    if (place !== undefined) return place;
    if (isNewer) newest[slot] = atUs;
    places?.set(`${slot} ${atUs}`, taken.length);
    return taken.push({ slot, atUs }) - 1;
  };
}
