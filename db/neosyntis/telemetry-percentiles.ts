import { AppError } from '../../domain/errors.ts';
import type { Bucket } from '../../domain/neosyntis/telemetry-fill.ts';
import { HOUR_US, MINUTE_US } from '../../domain/neosyntis/telemetry-limits.ts';
import type { AggregatePlan } from '../../domain/neosyntis/telemetry-plan.ts';
import type { Sql } from '../orm.ts';
import { rows } from '../sql.ts';
import { partsOf } from './telemetry-parts.ts';
import { createMerger, type Merger, type Sketch, together, valueAt } from './telemetry-sketch.ts';

/** Of one series when they are answered side by side, else of all together (0). */
export type SeriesBucket = Bucket & { series: number };

/** Sketches of one statement: how many there are at first, and how large they shall be together, once that is known. */
const FIRST_SKETCHES = 500;
const WANTED_CHARACTERS = 4 * 1024 * 1024;
/** A quiet night says little of the day. */
const GROWTH = 32;
/** As long as PostgreSQL may take for any other question. */
const WITHIN_MS = 15_000;

interface Ends {
  atUs: number;
  series: number;
  count: number;
  lo: number;
  hi: number;
}

/** What a statement says of one bucket: all of it, or some when it is longer than what was asked. */
type Piece = Ends & { sketches: string };
type Merged = Ends & { sketch: Sketch };

/**
 * Percentiles of buckets from the sketches of their minutes or hours. PostgreSQL gives the sketches of a bucket one
 * after the other, as they are stored, and they are merged here: to take them apart there costs ten to a hundred times
 * as much. Of a question as large as it may be they are more than this process should hold, so that it is asked by
 * pieces of time, one after the other; others have their turn in between.
 * @throws AppError `invalid` for what takes too long
 */
export async function percentiles(
  em: Sql,
  series: readonly number[],
  plan: AggregatePlan,
  isBySeries: boolean,
  share: number,
): Promise<SeriesBucket[]> {
  const merger = createMerger();
  /** Buckets that are longer than what was asked until now. */
  const open = new Map<string, Merged>();
  const found: SeriesBucket[] = [];
  const stepUs = plan.tier === 'hours' ? HOUR_US : MINUTE_US;
  const giveUpAt = performance.now() + WITHIN_MS;
  let steps = Math.ceil(FIRST_SKETCHES / series.length);
  for (let fromUs = plan.fromUs; fromUs < plan.toUs; ) {
    const toUs = Math.min(plan.toUs, fromUs + steps * stepUs);
    const pieces = await ask(em, series, { ...plan, fromUs, toUs }, isBySeries);
    let characters = 0;
    const isOver = ({ atUs }: Ends) => atUs + plan.bucketUs <= toUs;
    for (const piece of pieces) {
      characters += piece.sketches.length;
      const key = `${piece.atUs} ${piece.series}`;
      const merged = mergedOf(piece, open.get(key), merger);
      if (piece.atUs >= fromUs && isOver(piece)) found.push(answerOf(merged, share));
      else open.set(key, merged);
    }
    for (const [key, bucket] of open)
      if (isOver(bucket)) {
        found.push(answerOf(bucket, share));
        open.delete(key);
      }
    if (toUs < plan.toUs && performance.now() > giveUpAt) throw tooMuch();
    steps = Math.max(1, Math.floor(steps * Math.min(GROWTH, WANTED_CHARACTERS / (characters + 1))));
    fromUs = toUs;
  }
  return found.sort((a, b) => a.atUs - b.atUs || a.series - b.series);
}

function ask(em: Sql, series: readonly number[], plan: AggregatePlan, isBySeries: boolean): Promise<Piece[]> {
  return rows(
    em,
    `${partsOf(plan, isBySeries, true)}
     select bucket::float8 as "atUs", line::float8 as series, sum(n)::float8 as count, min(lo) as lo, max(hi) as hi,
       ${together('sketch')} as sketches
     from parts group by bucket, line`,
    [`{${series.join(',')}}`],
  );
}

function mergedOf({ sketches, ...ends }: Piece, before: Merged | undefined, merger: Merger): Merged {
  if (before) merger.add(before.sketch);
  merger.addBytes(Buffer.from(sketches, 'base64'));
  return {
    ...ends,
    count: ends.count + (before?.count ?? 0),
    lo: Math.min(ends.lo, before?.lo ?? ends.lo),
    hi: Math.max(ends.hi, before?.hi ?? ends.hi),
    sketch: merger.take(),
  };
}

/** No value is beyond the smallest and the largest, however wide their bins are. */
const answerOf = ({ atUs, series, count, lo, hi, sketch }: Merged, share: number): SeriesBucket => ({
  atUs,
  series,
  count,
  value: Math.min(Math.max(valueAt(sketch, share), lo), hi),
});

const tooMuch = (): AppError =>
  new AppError(
    'invalid',
    `This is about more readings than can be looked at within ${WITHIN_MS / 1_000} s: ask for less time or fewer series.`,
    { errors: [{ path: '/from', message: 'is too long ago for so many series' }] },
  );
