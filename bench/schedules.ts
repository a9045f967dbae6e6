import { type Installation, withInstallation } from './installation.ts';
import { percentile, tenths } from './percentile.ts';

/**
 * Scheduled tasks, each once a minute, spread over its seconds: how long after its nominal time a tick starts, and that
 * each comes once. Prints one JSON line. `bench/schedules.ts [tasks] [minutes]`
 *
 * - Start: the nominal time, a whole second.
 * - End: `startTime`, when the database says that the tick goes on: its workflow has been started, and its first activity
 *   taken. What it does then is a run of one `set`.
 *
 * What began within the minute after the last task was made is not measured: workers and servers warm up in it.
 */
const TASKS = Number(process.argv[2] ?? 500);
const MINUTES = Number(process.argv[3] ?? 2);
const LIMIT_MS = 1_000;
const IN_FLIGHT = 10;
const MINUTE_MS = 60_000;
const PAGE = 200;

interface Tick {
  id: string;
  taskId: string;
  scheduledAt: string;
  startTime: string | null;
  endTime: string | null;
  status: string;
}

await withInstallation(async (installation) => {
  const { call } = installation;
  const { id: workflowId } = await call<{ id: string }>('POST', '/api/neosyntis/workflows', {
    name: 'bench schedules',
    steps: [{ tell: { set: { done: true } } }],
  });
  let next = 0;
  const one = async () => {
    while (next < TASKS) {
      const at = next++;
      await call('POST', '/api/myntrix/tasks', {
        name: `bench ${at}`,
        schedule: `${at % 60} * * * * *`,
        action: { type: 'workflow', workflowId },
      });
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
  const from = (Math.floor(Date.now() / MINUTE_MS) + 2) * MINUTE_MS;
  const to = from + MINUTES * MINUTE_MS - 1;
  await until(to + 5_000);
  const ticks = await ticksOf(installation, from, to);
  const late = ticks.map(({ scheduledAt, startTime }) =>
    startTime === null ? Number.POSITIVE_INFINITY : Date.parse(startTime) - Date.parse(scheduledAt),
  );
  const whole = ticks.map(({ scheduledAt, endTime }) =>
    endTime === null ? Number.POSITIVE_INFINITY : Date.parse(endTime) - Date.parse(scheduledAt),
  );
  const at = (share: number) => tenths(percentile(late, share));
  const expected = TASKS * MINUTES;
  const succeeded = ticks.filter(({ status }) => status === 'success').length;
  const isOnce =
    new Set(ticks.map(({ taskId, scheduledAt }) => `${taskId} ${scheduledAt}`)).size === expected;
  const ok = at(0.99) <= LIMIT_MS && isOnce && ticks.length === expected && succeeded === expected;
  const figures = { p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1), limit_p99_ms: LIMIT_MS };
  const load = { tasks: TASKS, minutes: MINUTES, ticks: ticks.length, expected, succeeded };
  console.log(
    JSON.stringify({
      bench: 'schedules',
      ok,
      ...figures,
      whole_p50_ms: tenths(percentile(whole, 0.5)),
      ...load,
    }),
  );
  process.exitCode = ok ? 0 : 1;
});

function until(at: number): Promise<unknown> {
  return new Promise((resolve) => setTimeout(resolve, at - Date.now()));
}

/** All ticks of a period. */
async function ticksOf({ call }: Installation, from: number, to: number): Promise<Tick[]> {
  const found: Tick[] = [];
  for (let cursor = ''; ; ) {
    const query = new URLSearchParams({
      ...{ limit: String(PAGE), from: new Date(from).toISOString(), to: new Date(to).toISOString() },
      ...(cursor === '' ? {} : { cursor }),
    });
    const page = await call<Tick[]>('GET', `/api/myntrix/tasks/history?${query}`);
    found.push(...page);
    const last = page.at(-1);
    if (page.length < PAGE || !last) return found;
    cursor = last.id;
  }
}
