// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Measured, Order } from './dbos/worker.ts';
import { withInstallation } from './installation.ts';
import { percentile, tenths } from './percentile.ts';
import { startRaw } from './raw/peer.ts';
import { benchEntryPoints } from './verb/entry-points.ts';

/**
 * Three cheap idempotent steps: ours (brief verbs, from the request `…/trigger?wait=` to its answer), hand-written
 * Temporal with three normal activities, and DBOS Transact, whose library runs them in the process that asks and writes
 * to the same PostgreSQL server. Turn by turn; one JSON line with the medians of the rounds.
 *
 * The goals are against raw Temporal: 1.5 times its runs a second with 50 in flight, 0.7 of its p50 one at a time.
 */
const ROUNDS = 3;
const ONE_BY_ONE: Order = { count: 20, inFlight: 1 };
const BULK: Order = { count: 250, inFlight: 50 };
const WARM: Order = { count: 60, inFlight: 10 };
const goals = { perSecondRatio: 1.5, p50Ratio: 0.7 };

await withInstallation(
  async ({ stack, call }) => {
    const raw = await startRaw(stack.temporalAddress);
    const dbos = await startDbos(stack.databaseUrl);
    const step = { call: 'bench.brief', with: { value: '${ . }' } };
    const steps = [{ one: step }, { two: step }, { three: step }];
    const { id } = await call<{ id: string }>('POST', '/api/neosyntis/workflows', { name: 'three', steps });
    const run = async () => {
      const path = `/api/neosyntis/workflows/${id}/trigger?wait=60`;
      const { status } = await call<{ status: string }>('POST', path, { input: { n: 1 } });
      if (status !== 'completed') throw new Error(`a run ended as ${status}`);
    };
    const sides: Record<string, (order: Order) => Promise<Measured>> = {
      raw: (order) => measure(raw.run, order),
      ours: (order) => measure(run, order),
      dbos: dbos.measure,
    };
    for (const side of Object.values(sides)) await side(WARM);
    const figures: Record<string, { p50_ms: number; p99_ms: number; per_s: number }> = {};
    for (const [name, side] of Object.entries(sides)) {
      const single: Measured[] = [];
      const many: Measured[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        await raw.settled();
        single.push(await side(ONE_BY_ONE));
        await raw.settled();
        many.push(await side(BULK));
      }
      figures[name] = {
        p50_ms: tenths(
          percentile(
            single.map(({ p50 }) => p50),
            0.5,
          ),
        ),
        p99_ms: tenths(
          percentile(
            single.map(({ p99 }) => p99),
            0.5,
          ),
        ),
        per_s: tenths(
          percentile(
            many.map(({ perSecond }) => perSecond),
            0.5,
          ),
        ),
      };
    }
    await Promise.all([raw.close(), dbos.close()]);
    const ratio = (of: 'p50_ms' | 'per_s', to: string) =>
      Math.round(((figures.ours?.[of] ?? 0) / (figures[to]?.[of] ?? 1)) * 100) / 100;
    const toRaw = { per_s: ratio('per_s', 'raw'), p50: ratio('p50_ms', 'raw') };
    const ok = toRaw.per_s >= goals.perSecondRatio && toRaw.p50 <= goals.p50Ratio;
    const toDbos = { per_s: ratio('per_s', 'dbos'), p50: ratio('p50_ms', 'dbos') };
    console.log(JSON.stringify({ bench: 'dbos', ok, ...figures, to_raw: toRaw, to_dbos: toDbos, goals }));
    if (!ok) process.exitCode = 1;
  },
  { entryPoints: benchEntryPoints },
);

async function measure(work: () => Promise<unknown>, { count, inFlight }: Order): Promise<Measured> {
  let left = count;
  const times: number[] = [];
  const startedAt = performance.now();
  const worker = async () => {
    while (left-- > 0) {
      const begun = performance.now();
      await work();
      times.push(performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const perSecond = (count * 1000) / (performance.now() - startedAt);
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99), perSecond };
}

/** A database of its own on the platform's server. */
async function startDbos(databaseUrl: string) {
  const url = new URL(databaseUrl);
  url.pathname = '/dbos_bench';
  const child = fork(fileURLToPath(new URL('dbos/worker.ts', import.meta.url)), [url.href], {
    stdio: 'inherit',
  });
  await once(child, 'message');
  return {
    async measure(order: Order): Promise<Measured> {
      child.send(order);
      const [measured] = await once(child, 'message');
      return measured as Measured; // the worker's answer
    },
    async close() {
      child.disconnect();
      await once(child, 'exit');
    },
  };
}
