import { createHash } from 'node:crypto';
import { until } from './client.ts';

/** A program of motions that all differ. */
export const program = (lines: number, seed = 0): string =>
  Array.from({ length: lines }, (_, n) => `G1 X${n} Y${(n * 7 + seed) % 200} F3000\n`).join('');

/** Of the motions of a program, as the simulators make it. */
export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/**
 * Until what a device says it did stays as it is, twice: one that was held up answers first, and does afterwards what has
 * become due meanwhile.
 * @param forMs no shorter than its motions
 */
export async function untilStill<T extends { motions: number }>(
  ask: () => Promise<T>,
  forMs = 50,
): Promise<T> {
  let last = await ask();
  let same = 0;
  await until(
    async () => {
      await new Promise((resolve) => setTimeout(resolve, forMs));
      const now = await ask();
      same = now.motions === last.motions ? same + 1 : 0;
      last = now;
      return same;
    },
    (times) => times === 2,
    120_000,
  );
  return last;
}
