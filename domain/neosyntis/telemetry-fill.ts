import type { Fill } from './telemetry.ts';

export interface Bucket {
  /** Microseconds since 1970. */
  atUs: number;
  value: number | null;
  count: number;
}

/**
 * Buckets without readings get a point: null, 0, the value before them, or one on the line between their neighbours.
 * Before the first and (for lines) after the last value there is nothing to fill from: null.
 * @param found oldest first, each at a multiple of `bucketUs` from `fromUs` on
 */
export function fillGaps(
  found: readonly Bucket[],
  fill: Fill,
  { fromUs, toUs, bucketUs }: { fromUs: number; toUs: number; bucketUs: number },
): readonly Bucket[] {
  if (fill === 'none') return found;
  const filled: Bucket[] = [];
  let next = 0;
  let before: Bucket | undefined;
  for (let atUs = fromUs; atUs < toUs; atUs += bucketUs) {
    const here = found[next];
    if (here?.atUs === atUs) {
      filled.push(here);
      before = here;
      next++;
    } else filled.push({ atUs, value: between(fill, atUs, before, here), count: 0 });
  }
  return filled;
}

function between(
  fill: Fill,
  atUs: number,
  before: Bucket | undefined,
  after: Bucket | undefined,
): number | null {
  if (fill === '0') return 0;
  if (fill === 'previous') return before?.value ?? null;
  if (fill !== 'linear' || before?.value == null || after?.value == null) return null;
  const share = (atUs - before.atUs) / (after.atUs - before.atUs);
  return before.value + (after.value - before.value) * share;
}
