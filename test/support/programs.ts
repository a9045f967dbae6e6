import { createHash } from 'node:crypto';
import { until } from './client.ts';

/** A program of motions that all differ. */
export const program = (lines: number, seed = 0): string =>
  Array.from({ length: lines }, (_, n) => `G1 X${n} Y${(n * 7 + seed) % 200} F3000\n`).join('');

/** Of the motions of a program, as the simulators make it. */
export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** How often a device looks at its line, at least, between what it says first and last. */
const LOOKS = 3;

/** Until a device has done all that it was sent, or stands, and nothing more of it is on the way. */
export async function untilStill<T extends { motions: number; bytes: number; isIdle: boolean }>(
  ask: () => Promise<T>,
): Promise<T> {
  const seen = await until(
    async () => {
      const all: T[] = [];
      while (all.length <= LOOKS) all.push(await ask());
      return all;
    },
    ([first, ...others]) =>
      others.every(
        ({ isIdle, motions, bytes }) => isIdle && motions === first?.motions && bytes === first.bytes,
      ),
    60_000,
  );
  const last = seen.at(-1);
  if (!last) throw new Error('nothing was asked');
  return last;
}
