import { withInstallation } from './installation.ts';
import { peakMb, residentMb } from './resident.ts';

/**
 * Runs that wait, on one worker: half for a time, half for a person. What the platform worker's memory is then, and that
 * each can still be reached: all are cancelled in the end. Prints one JSON line.
 */
const RUNS = Number(process.argv[2] ?? 2_000);
const IN_FLIGHT = 20;
const LIMIT_MB = 1_024;
const LOOK_MS = 500;
const WITHIN_MS = 300_000;

interface Run {
  status: string;
  steps: { status: string }[];
}

async function inFlight(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const one = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
}

await withInstallation(async ({ stack, call }) => {
  const save = async (name: string, steps: unknown[]) =>
    (await call<{ id: string }>('POST', '/api/neosyntis/workflows', { name, steps })).id;
  const kinds = [
    await save('waits for a time', [{ long: { wait: { hours: 1 } } }]),
    await save('waits for a person', [{ ask: { call: 'approval.wait', with: { title: 'Go on?' } } }]),
  ];
  const worker = stack.part('platform').pid ?? 0;
  const before_mb = residentMb(worker);
  const ids: string[] = [];
  const startedAt = performance.now();
  await inFlight(RUNS, async (index) => {
    const path = `/api/neosyntis/workflows/${kinds[index % 2]}/trigger`;
    ids.push((await call<{ run_id: string }>('POST', path, {})).run_id);
  });
  // A run is said to wait when it does for events or people, and each step that waits.
  const isSo = async (id: string, status: string) => {
    const run = await call<Run>('GET', `/api/neosyntis/runs/${id}`);
    return run.status === status || run.steps.some((step) => step.status === status);
  };
  const are = async (status: string) => {
    const endsAt = performance.now() + WITHIN_MS;
    for (const id of ids)
      while (!(await isSo(id, status))) {
        if (performance.now() > endsAt) throw new Error(`after ${WITHIN_MS} ms run ${id} is not ${status}`);
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
  };
  await are('waiting');
  const all_wait_s = Math.round((performance.now() - startedAt) / 1_000);
  const waiting_mb = residentMb(worker);
  await inFlight(ids.length, (index) => call('POST', `/api/neosyntis/runs/${ids[index]}/cancel`));
  await are('cancelled');
  const figures = { before_mb, waiting_mb, peak_mb: peakMb(worker), all_wait_s, limit_mb: LIMIT_MB };
  const ok = figures.peak_mb <= LIMIT_MB;
  console.log(JSON.stringify({ bench: 'waiting', runs: RUNS, ok, ...figures }));
  process.exitCode = ok ? 0 : 1;
});
