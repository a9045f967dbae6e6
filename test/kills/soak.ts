import { parseArgs } from 'node:util';
import { beginOrdeal } from './ordeal.ts';
import { startPlatform, type Victim, victims } from './platform.ts';
import { pause } from './traffic.ts';
import type { Kill } from './verdict.ts';

/**
 * `npm run soak -- --kills 200 [--seed 7] [--only temporal,host] [--frozen 0.2] [--legs 3]`: kills random processes at random moments while
 * runs are under way, and counts. Progress goes to standard error; the result is one line of JSON, and the exit code
 * says whether all was right. Of the kills a share (`--frozen`) is a process that is stopped for 1 to 15 s and goes on.
 * With `--legs` runs go on in another execution after so many tasks. The same seed kills the same processes after the same pauses.
 */
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    burst: { type: 'string', default: '50' },
    rate: { type: 'string', default: '8' },
    frozen: { type: 'string', default: '0' },
    legs: { type: 'string' },
    only: { type: 'string', default: victims.join() },
  },
});

/** Between a recovery and the next kill, so that a kill comes every 8 to 10 s. */
const PAUSE_MS = { least: 500, more: 4_000 };

/** xorshift32: a small generator whose seed can be told (Marsaglia 2003). */
function random(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const isVictim = (name: string): name is Victim => victims.some((victim) => victim === name);
const chosen = values.only.split(',').filter(isVictim);
const next = random(Number(values.seed));
const startedAt = Date.now();
const platform = await startPlatform(values.legs === undefined ? {} : { legTasks: Number(values.legs) });
let isRight = false;
try {
  const ordeal = await beginOrdeal(platform, {
    burst: Number(values.burst),
    perSecond: Number(values.rate),
    watched: 8,
  });
  for (let index = 0; index < Number(values.kills); index++) {
    await pause(PAUSE_MS.least + next() * PAUSE_MS.more);
    const victim = chosen[Math.floor(next() * chosen.length)] ?? 'api';
    const { at, back, recoveredMs } = await ordeal.kill(victim);
    console.error(
      `${index + 1}: ${victim} back after ${back - at} ms, all right after ${recoveredMs} ms more`,
    );
  }
  const { kills, lost, doubled, wrong, gaps, ...counts } = await ordeal.end();
  for (const text of [...lost, ...doubled, ...wrong, ...gaps]) console.error(text);
  const found = { lost: lost.length, doubled: doubled.length, wrong: wrong.length, gaps: gaps.length };
  const result = {
    kills: kills.length,
    seed: Number(values.seed),
    minutes: Math.round((Date.now() - startedAt) / 6_000) / 10,
    ...counts,
    ...found,
    recovery_ms: recoveries(kills),
  };
  console.log(JSON.stringify(result));
  isRight = Object.values(found).every((number) => number === 0);
} finally {
  process.exitCode = isRight ? 0 : 1;
  if (!isRight) console.error(`what was found can be looked into in ${platform.stack.dataDir}`);
  await platform.close({ keep: !isRight });
}

/** By part: how often it was killed, and how long it took from being back until all was right again. */
function recoveries(kills: readonly Kill[]) {
  const byVictim = Map.groupBy(kills, ({ victim }) => victim);
  return Object.fromEntries(
    [...byVictim].map(([victim, of]) => {
      const times = of.map(({ recoveredMs }) => recoveredMs).sort((a, b) => a - b);
      return [victim, { kills: times.length, p50: times[times.length >> 1], max: times.at(-1) }];
    }),
  );
}
