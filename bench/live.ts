import { Client, Connection, defaultPayloadConverter } from '@temporalio/client';
import { WebSocket } from 'ws';
import type { ProjectionBatch } from '../domain/neosyntis/projection.ts';
import { type Installation, withInstallation } from './installation.ts';
import { percentile, tenths } from './percentile.ts';

/**
 * How long a change of a run takes to the screen of who watches it. Prints one JSON line.
 *
 * Measured from the moment that the run asks for the projection to the frame's arrival at a WebSocket client:
 * - Start: the time of the event ActivityTaskScheduled of the activity `project` in the run's Temporal history,
 *   written by the Temporal server. So it covers the task queue, the worker, the transaction in PostgreSQL, the
 *   bus, the API and the socket, retries too.
 * - End: the callback of `ws` for the frame, before it is parsed, in this process. All clocks are this machine's.
 * - A change's place in its batch gives the frame: the n-th change of a run is its n-th frame.
 *
 * One run of the same kind goes before, unmeasured: it loads and compiles what a first run needs. Frames of batches
 * that were asked for before the socket was open are left out, and so is the run's last batch, which goes out with
 * its end (a local activity, whose start the history does not have). `from_change` counts from earlier: from the
 * workflow's own time at the change (the start of its workflow task) as the frame tells it, so it also has the
 * run's own work, and the wait for a batch that is still in flight.
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

interface Arrival {
  at: number;
  text: string;
}

interface Step {
  started_at: string | null;
  ended_at: string | null;
}

interface Latency {
  fromRequest: number;
  fromChange: number | undefined;
}

/** Wall clock with fractions of a millisecond. */
const now = () => performance.timeOrigin + performance.now();

await withInstallation(async (installation) => {
  const connection = await Connection.connect({ address: installation.stack.temporalAddress });
  const temporal = new Client({ connection });
  const workflow = { name: 'bench live', steps };
  const { id } = await installation.call<{ id: string }>('POST', '/api/neosyntis/workflows', workflow);
  const runOnce = () => watchRun(installation, temporal, id);
  await runOnce();
  const startedAt = now();
  const runs = await Promise.all(Array.from({ length: RUNS_AT_ONCE }, runOnce));
  const seconds = (now() - startedAt) / 1000;
  await connection.close();
  const latencies = runs.flat();
  const { p50_ms, p99_ms, max_ms } = figures(latencies.map(({ fromRequest }) => fromRequest));
  const from_change = figures(latencies.flatMap(({ fromChange }) => fromChange ?? []));
  const frames = latencies.length;
  const ok = p99_ms <= LIMIT_MS && frames >= FRAMES;
  const load = { frames, frames_per_s: Math.round(frames / seconds), runs_at_once: RUNS_AT_ONCE };
  const line = { bench: 'live', p50_ms, p99_ms, max_ms, limit_p99_ms: LIMIT_MS, ok, ...load, from_change };
  console.log(JSON.stringify(line));
  process.exitCode = ok ? 0 : 1;
});

function figures(ms: readonly number[]) {
  const at = (share: number) => tenths(percentile(ms, share));
  return { p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1) };
}

/** Starts a run, watches it to its end, and gives how long each frame took. */
async function watchRun({ stack, token, call }: Installation, temporal: Client, workflowId: string) {
  const { run_id } = await call<{ run_id: string }>(
    'POST',
    `/api/neosyntis/workflows/${workflowId}/trigger`,
    {},
  );
  const { openAt, arrivals } = await frames(stack.apiUrl, run_id, token);
  const requests = await projectionTimes(temporal, run_id);
  return arrivals.flatMap(({ at, text }, index): Latency[] => {
    const requestedAt = requests[index];
    if (requestedAt === undefined || requestedAt < openAt) return [];
    const { seq, step } = JSON.parse(text) as { seq: number; step?: Step }; // a frame of our own API
    if (seq !== index + 1) throw new Error(`frame ${seq} came as number ${index + 1}`);
    const changedAt = step?.ended_at ?? step?.started_at;
    const fromChange = changedAt ? at - Date.parse(changedAt) : undefined;
    return [{ fromRequest: at - requestedAt, fromChange }];
  });
}

/** All frames of a run from its first, as they come, until the run ends. */
function frames(apiUrl: string, runId: string, token: string) {
  return new Promise<{ openAt: number; arrivals: Arrival[] }>((resolve, reject) => {
    const url = `${apiUrl.replace('http', 'ws')}/ws/neosyntis/runs/${runId}?after=0`;
    const socket = new WebSocket(url, { headers: { Authorization: `Bearer ${token}` } });
    const arrivals: Arrival[] = [];
    let openAt = Number.POSITIVE_INFINITY;
    socket.on('open', () => {
      openAt = now();
    });
    socket.on('message', (data) => {
      const at = now();
      const text = String(data);
      arrivals.push({ at, text });
      if (!text.includes('"type":"run"')) return;
      const { status } = JSON.parse(text).run;
      if (status === 'completed') socket.close();
      else if (status !== 'running') reject(new Error(`the run ended as ${text}`));
    });
    socket.on('close', () => resolve({ openAt, arrivals }));
    socket.on('error', reject);
  });
}

/** When each of a run's changes was asked to be projected, in their order, as far as activities did it. */
async function projectionTimes(temporal: Client, runId: string): Promise<number[]> {
  const { events } = await temporal.workflow.getHandle(runId).fetchHistory();
  const times: number[] = [];
  for (const { eventTime, activityTaskScheduledEventAttributes: scheduled } of events ?? []) {
    if (scheduled?.activityType?.name !== 'project') continue;
    const [payload] = scheduled.input?.payloads ?? [];
    if (!payload || !eventTime) throw new Error('a projection without its batch');
    const batch = defaultPayloadConverter.fromPayload<ProjectionBatch>(payload);
    if (batch.from !== times.length + 1) throw new Error(`batch ${batch.from} follows ${times.length}`);
    const at = Number(eventTime.seconds) * 1000 + (eventTime.nanos ?? 0) / 1e6;
    for (const _change of batch.changes) times.push(at);
  }
  return times;
}
