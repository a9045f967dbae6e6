import { withInstallation } from './installation.ts';
import { percentile, tenths } from './percentile.ts';
import { startRaw } from './raw/peer.ts';
import { benchEntryPoints } from './verb/entry-points.ts';

/**
 * What a run costs over hand-written Temporal: the same three trivial activities, on the same server, turn by turn
 * in the same run of this script. Prints one JSON line a figure.
 *
 * - one at a time: from the request `POST …/trigger?wait=` to its answer, against client.execute
 * - 50 in flight: runs a second, likewise
 * - trigger: acknowledged starts a second with 8 in flight, against client.start, while the workers of both sides stand
 *   still, so that nothing is measured but that
 * - pure: three steps of `set` that count up, one at a time; `by_jq` needs a jq program for each besides
 */
const ROUNDS = 3;
const ONE_BY_ONE = 20;
const IN_FLIGHT = 50;
const BULK = 250;
const STARTS = 500;
const STARTERS = 8;
const limits = { p50Ratio: 1.2, bulkRatio: 0.8, startRatio: 0.8, pureMs: 30 };

const now = () => performance.now();

await withInstallation(
  async ({ stack, call }) => {
    const raw = await startRaw(stack.temporalAddress);
    const save = async (name: string, steps: unknown[]) =>
      (await call<{ id: string }>('POST', '/api/neosyntis/workflows', { name, steps })).id;
    const step = { call: 'bench.nothing', with: { value: '${ . }' } };
    const verbs = await save('three verbs', [{ one: step }, { two: step }, { three: step }]);
    const set = { set: { n: '${ .n + 1 }' } };
    const pure = await save('three sets', [{ one: set }, { two: set }, { three: set }]);
    const byJq = { set: { n: '${ [.n, 1] | add }' } };
    const jq = await save('three programs', [{ one: byJq }, { two: byJq }, { three: byJq }]);
    const run = (id: string) => async () => {
      const body = await call<{ status: string }>('POST', `/api/neosyntis/workflows/${id}/trigger?wait=60`, {
        input: { n: 1 },
      });
      if (body.status !== 'completed') throw new Error(`a run ended as ${JSON.stringify(body)}`);
    };
    const trigger = () => call('POST', `/api/neosyntis/workflows/${verbs}/trigger`, { input: { n: 1 } });

    for (const warm of [run(verbs), run(pure), run(jq), raw.run]) await bulk(warm, 60, 10);
    const ours: number[] = [];
    const theirs: number[] = [];
    const sets: number[] = [];
    const programs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      theirs.push(...(await oneByOne(raw.run)));
      ours.push(...(await oneByOne(run(verbs))));
      sets.push(...(await oneByOne(run(pure))));
      programs.push(...(await oneByOne(run(jq))));
    }
    const [p50, rawP50] = [percentile(ours, 0.5), percentile(theirs, 0.5)];
    report('one at a time', p50 / rawP50 <= limits.p50Ratio, {
      p50_ms: tenths(p50),
      p99_ms: tenths(percentile(ours, 0.99)),
      raw_p50_ms: tenths(rawP50),
      raw_p99_ms: tenths(percentile(theirs, 0.99)),
      ratio: hundredths(p50 / rawP50),
      limit: limits.p50Ratio,
    });
    const pureP50 = percentile(sets, 0.5);
    report('pure', pureP50 <= limits.pureMs, {
      p50_ms: tenths(pureP50),
      p99_ms: tenths(percentile(sets, 0.99)),
      by_jq_p50_ms: tenths(percentile(programs, 0.5)),
      raw_three_activities_p50_ms: tenths(rawP50),
      limit_ms: limits.pureMs,
    });
    const compare = comparing(raw.settled);
    await compare('50 in flight', limits.bulkRatio, run(verbs), raw.run, {
      count: BULK,
      inFlight: IN_FLIGHT,
    });
    const workers = [stack.part('platform'), raw.worker];
    await compare('trigger', limits.startRatio, trigger, raw.start, {
      count: STARTS,
      inFlight: STARTERS,
      begin: () => signalAll(workers, 'SIGSTOP'),
      end: () => signalAll(workers, 'SIGCONT'),
    });
    await raw.close();
  },
  { entryPoints: benchEntryPoints },
);

/** Turn by turn, each when all is quiet; the median of each side counts. */
function comparing(settled: () => Promise<void>) {
  return async (
    name: string,
    limit: number,
    ours: Work,
    theirs: Work,
    { count, inFlight, begin = () => {}, end = () => {} }: Load,
  ) => {
    const rates: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
    for (let round = 0; round < ROUNDS; round++)
      for (const [side, work] of [
        ['theirs', theirs],
        ['ours', ours],
      ] as const) {
        await settled();
        begin();
        rates[side].push(await bulk(work, count, inFlight).finally(end));
      }
    const [per_s, raw_per_s] = [percentile(rates.ours, 0.5), percentile(rates.theirs, 0.5)];
    report(name, per_s / raw_per_s >= limit, {
      per_s: tenths(per_s),
      raw_per_s: tenths(raw_per_s),
      ratio: hundredths(per_s / raw_per_s),
      limit,
    });
  };
}

interface Load {
  count: number;
  inFlight: number;
  begin?(): void;
  end?(): void;
}

function signalAll(processes: { kill(signal: NodeJS.Signals): unknown }[], signal: NodeJS.Signals) {
  for (const one of processes) one.kill(signal);
}

type Work = () => Promise<unknown>;

async function oneByOne(work: Work): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < ONE_BY_ONE; index++) {
    const startedAt = now();
    await work();
    times.push(now() - startedAt);
  }
  return times;
}

/** @returns how many a second. */
async function bulk(work: Work, count: number, inFlight: number): Promise<number> {
  let left = count;
  const startedAt = now();
  const worker = async () => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return (count * 1000) / (now() - startedAt);
}

function report(figure: string, ok: boolean, values: object) {
  console.log(JSON.stringify({ bench: 'runs', figure, ok, ...values }));
  if (!ok) process.exitCode = 1;
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100;
}
