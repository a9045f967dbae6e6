import { WebSocket } from 'ws';
import { type Installation, withInstallation } from './installation.ts';
import { latenciesOf } from './latencies.ts';
import { percentile, tenths } from './percentile.ts';

/**
 * How long a change of a run takes to the screen of who watches it. Prints one JSON line.
 *
 * - Start: when the step began or ended, by the workflow's own clock, as the frame tells it (the start of the
 *   workflow task that did it). So it covers the rest of that workflow task, the wait for news that are still on
 *   their way, the transaction in PostgreSQL, the bus, the API and the socket.
 * - End: the callback of `ws` for the frame, before it is parsed, in this process. All clocks are this machine's.
 *
 * One run of the same kind goes before, unmeasured: it loads and compiles what a first run needs. Frames of before
 * the socket was open are left out.
 */
const LIMIT_MS = 100;
const FRAMES = 300;
const RUNS_AT_ONCE = 4;
const ROUNDS = 100;

const steps = [
  { connect: { wait: { milliseconds: 1_000 } } }, // until the client is there
  {
    loop: {
      for: { in: JSON.stringify(Array.from({ length: ROUNDS }, (_, index) => index)) },
      do: [{ pause: { wait: { milliseconds: 30 } } }],
    },
  },
];

/** Wall clock with fractions of a millisecond. */
const now = () => performance.timeOrigin + performance.now();

await withInstallation(async (installation) => {
  const workflow = { name: 'bench live', steps };
  const { id } = await installation.call<{ id: string }>('POST', '/api/neosyntis/workflows', workflow);
  await watchRun(installation, id);
  const startedAt = now();
  const runs = await Promise.all(Array.from({ length: RUNS_AT_ONCE }, () => watchRun(installation, id)));
  const seconds = (now() - startedAt) / 1000;
  const latencies = runs.flat();
  const frames = latencies.length;
  const at = (share: number) => tenths(percentile(latencies, share));
  const ok = at(0.99) <= LIMIT_MS && frames >= FRAMES;
  const figures = { p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1), limit_p99_ms: LIMIT_MS };
  const load = { frames, frames_per_s: Math.round(frames / seconds), runs_at_once: RUNS_AT_ONCE };
  console.log(JSON.stringify({ bench: 'live', ok, ...figures, ...load }));
  process.exitCode = ok ? 0 : 1;
});

/** Starts a run, watches it to its end, and gives how long each frame took. */
async function watchRun({ stack, token, call }: Installation, workflowId: string): Promise<number[]> {
  const { run_id } = await call<{ run_id: string }>(
    'POST',
    `/api/neosyntis/workflows/${workflowId}/trigger`,
    {},
  );
  const { openAt, arrivals } = await frames(stack.apiUrl, run_id, token);
  return latenciesOf(arrivals, openAt);
}

/** All frames of a run from its first, as they come, until the run ends. */
function frames(apiUrl: string, runId: string, token: string) {
  return new Promise<{ openAt: number; arrivals: { at: number; data: string }[] }>((resolve, reject) => {
    const url = `${apiUrl.replace('http', 'ws')}/ws/neosyntis/runs/${runId}?after=0`;
    const socket = new WebSocket(url, { headers: { Authorization: `Bearer ${token}` } });
    const arrivals: { at: number; data: string }[] = [];
    let openAt = Number.POSITIVE_INFINITY;
    socket.on('open', () => {
      openAt = now();
    });
    socket.on('message', (data) => {
      const at = now();
      const text = String(data);
      arrivals.push({ at, data: text });
      if (!text.includes('"type":"run"')) return;
      const { status } = JSON.parse(text).run;
      if (status === 'completed') socket.close();
      else if (status !== 'running') reject(new Error(`the run ended as ${text}`));
    });
    socket.on('close', () => resolve({ openAt, arrivals }));
    socket.on('error', reject);
  });
}
