import { createHash } from 'node:crypto';
import { until } from './client.ts';

/** A program of motions that all differ. */
export const program = (lines: number, seed = 0): string =>
  Array.from({ length: lines }, (_, n) => `G1 X${n} Y${(n * 7 + seed) % 200} F3000\n`).join('');

/** Of the motions of a program, as the simulators make it. */
export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Until what a device says it did stays as it is. */
export async function untilStill<T extends { motions: number }>(
  ask: () => Promise<T>,
  forMs = 50,
): Promise<T> {
  let last = await ask();
  return until(
    async () => {
      const before = last;
      await new Promise((resolve) => setTimeout(resolve, forMs));
      last = await ask();
      return { before, last };
    },
    ({ before, last: now }) => before.motions === now.motions,
    60_000,
  ).then(({ last: now }) => now);
}
