import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  ANSWER_WITHIN_MS,
  expectUnavailable,
  outages,
  type Timed,
  timed,
  timedWithout,
} from './kills/outage.ts';
import { PASSWORD, type Platform, startPlatform } from './kills/platform.ts';
import { describeSealed } from './payloads/sealed.ts';
import { type S3Server, startS3Server } from './storage/s3-server.ts';
import { until } from './support/client.ts';
import { type Pace, watchPace } from './support/pace.ts';
import { openSocket } from './support/socket.ts';

/** Twice what the API takes an answer of Temporal's for fresh. */
const FRESH_MS = 100;

/**
 * A platform of its own, with the payload codec on and its large values in S3, whose servers are away for a while:
 * killed, or frozen so that they accept and never answer.
 */
let platform: Platform;
let s3: S3Server;
let storage: Record<string, string>;
let waiting: string;
let pure: string;

beforeAll(async () => {
  s3 = await startS3Server();
  storage = {
    VAREON_STORAGE: s3.setting,
    AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
  };
  platform = await startPlatform({ settings: { ...storage, VAREON_PAYLOAD_CODEC: 'on' } });
  waiting = await newWorkflow([{ long: { wait: { hours: 1 } } }]);
  pure = await newWorkflow([{ a: { set: { done: true } } }]);
});

afterAll(async () => {
  await platform?.close();
  await s3?.[Symbol.asyncDispose]();
});

async function newWorkflow(steps: unknown[]): Promise<string> {
  const body = { name: 'outage', steps };
  return (await platform.askPatiently('POST', '/api/neosyntis/workflows', { body })).body.id;
}

const trigger = (workflowId: string, headers: Record<string, string> = {}) =>
  platform.ask('POST', `/api/neosyntis/workflows/${workflowId}/trigger`, { headers });

const cancel = (runId: string) => platform.ask('POST', `/api/neosyntis/runs/${runId}/cancel`);

const read = (path: string) => platform.ask('GET', path);

/** Repeats it while that is refused: a server that is ready may be too slow yet. */
const acknowledged = (path: string, headers: Record<string, string> = {}) =>
  until(
    () => platform.ask('POST', path, { headers }),
    // 409 when it had been taken after all, and 200 for what is repeated.
    (answer) => [200, 202, 409].includes(answer?.status ?? 0),
    60_000,
  );

const started = async (workflowId: string, headers: Record<string, string> = {}): Promise<string> =>
  (await acknowledged(`/api/neosyntis/workflows/${workflowId}/trigger`, headers))?.body.run_id;

async function expectInTime(answers: Timed[], pace: Pace): Promise<void> {
  await pace.end();
  expect(Math.max(...answers.map(({ ms }) => ms))).toBeLessThan(pace.limit(ANSWER_WITHIN_MS));
}

async function runningRun(): Promise<string> {
  await untilReady();
  const runId = await started(waiting);
  await untilRun(runId, (run) => run?.steps[0]?.status === 'waiting');
  return runId;
}

// biome-ignore lint/suspicious/noExplicitAny: looks into runs of several shapes
const untilRun = (runId: string, done: (run: any) => boolean) =>
  until(async () => (await platform.ask('GET', `/api/neosyntis/runs/${runId}`))?.body, done, 60_000);

const hasCompleted = (run: { status?: string } | undefined) => run?.status === 'completed';

const untilReady = () =>
  until(
    () => platform.ask('GET', '/ready'),
    (ready) => ready?.status === 200,
    60_000,
  );

describeSealed(() => ({ stack: platform.stack, adminPassword: PASSWORD, storage }));

describe('While Temporal is', () => {
  test.each(outages)(
    '%s, what needs it is refused at once and nothing is kept of it; the rest works',
    async (_name, begin) => {
      const runId = await runningRun();
      const runsOfPure = async () =>
        (await platform.askPatiently('GET', `/api/neosyntis/workflows/${pure}/runs`)).body;
      const latest = (await runsOfPure()).length;
      const events = await openSocket(platform.socketUrl('/ws/events'), platform.token);
      await events.next(({ type }) => type === 'snapshot');
      const pace = watchPace(platform.stack.apiUrl);
      await using outage = begin(platform, 'temporal');

      // What it answered last counts for a moment (api/temporal/client.ts); then at once, before anybody can have noticed.
      await new Promise((resolve) => setTimeout(resolve, FRESH_MS));
      const asks = [
        () => trigger(pure),
        () => trigger(pure, { 'Idempotency-Key': `outage-${_name}` }),
        () => cancel(runId),
        () => platform.ask('POST', `/api/myntrix/jobs/${runId}/cancel`),
      ];
      const refused = await Promise.all(asks.map((ask) => timedWithout('database', ask)));
      for (const answer of refused) expectUnavailable(answer, /Temporal/);
      const paths = [
        `/api/neosyntis/workflows/${pure}/runs`,
        `/api/neosyntis/runs/${runId}`,
        `/api/neosyntis/workflows/${waiting}/status`,
        '/api/neosyntis/workflows',
      ];
      const reads = await Promise.all(paths.map((path) => timedWithout('database', () => read(path))));
      expect(reads.map(({ answer }) => answer?.status)).toEqual([200, 200, 200, 200]);
      expect(reads[0]?.answer?.body).toHaveLength(latest);
      await expectInTime([...refused, ...reads], pace);
      const watching = await openSocket(
        platform.socketUrl(`/ws/neosyntis/runs/${runId}?after=0`),
        platform.token,
      );
      await watching.next(({ type, step }) => type === 'step' && step.status === 'waiting', 60_000);
      watching.close();

      await outage.end();
      await untilReady();
      // The refused request, repeated, runs once.
      const repeated = await started(pure, { 'Idempotency-Key': `outage-${_name}` });
      await untilRun(repeated, hasCompleted);
      expect(await runsOfPure()).toHaveLength(latest + 1);
      await events.next(({ event }) => event?.subject === repeated && /completed/.test(event.type), 60_000);
      events.close();
      await acknowledged(`/api/neosyntis/runs/${runId}/cancel`);
    },
  );

  test('frozen in the middle of many triggers, each has an answer, and what was acknowledged runs', async () => {
    const key = (index: number) => ({ 'Idempotency-Key': `middle-${index}` });
    const pace = watchPace(platform.stack.apiUrl);
    const answers: Promise<Timed>[] = [];
    for (let index = 0; index < 40; index++) {
      if (index === 15) platform.signalAll('temporal', 'SIGSTOP');
      answers.push(timed(() => trigger(pure, key(index))));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const first = await Promise.all(answers);
    platform.signalAll('temporal', 'SIGCONT');
    for (const { answer } of first) expect([200, 202, 503]).toContain(answer?.status);
    await expectInTime(first, pace);
    expect(first.some(({ answer }) => answer?.status === 503)).toBe(true);
    await untilReady();
    const again = await Promise.all(first.map((_, index) => started(pure, key(index))));
    for (const [index, runId] of again.entries()) {
      expect(first[index]?.answer?.body.run_id ?? runId).toBe(runId);
      await untilRun(runId, hasCompleted);
    }
    expect(new Set(again).size).toBe(40);
  });
});

test('A code step that runs while Temporal is away for long is neither lost nor repeated', async () => {
  await untilReady();
  const seconds = Number(process.env.OUTAGE_SECONDS ?? 7);
  const code = await newWorkflow([
    {
      side: {
        fork: {
          branches: [
            // One ends while Temporal is away, the other after it is back.
            { short: { run: { shell: { command: `echo short; sleep ${seconds - 3}` } } } },
            { long: { run: { shell: { command: `echo long; sleep ${seconds + 3}` } } } },
          ],
        },
      },
    },
  ]);
  const runId = await started(code);
  await untilRun(
    runId,
    ({ steps }) => steps.filter((step: { logs: string }) => step.logs !== '').length === 2,
  );
  // Temporal hears no heartbeat for longer than it takes a host for dead.
  await platform.freeze('temporal', seconds * 1_000);
  const run = await untilRun(runId, ({ ended_at }) => ended_at !== null);
  expect(run).toMatchObject({ status: 'completed', output: ['short\n', 'long\n'] });
});

describe('While PostgreSQL is', () => {
  test.each(outages)(
    '%s, everything that asks it is refused in time, /ready says so, and sockets go on',
    async (_name, begin) => {
      const runId = await runningRun();
      const watching = await openSocket(
        platform.socketUrl(`/ws/neosyntis/runs/${runId}?after=0`),
        platform.token,
      );
      await watching.next(({ type, step }) => type === 'step' && step.status === 'waiting');
      const pace = watchPace(platform.stack.apiUrl);
      await using outage = begin(platform, 'postgres');
      const asks = [
        () => trigger(pure, { 'Idempotency-Key': `database-${_name}` }),
        () => read(`/api/neosyntis/runs/${runId}`),
        () => read('/api/neosyntis/workflows'),
        () => cancel(runId),
      ];
      const refused = await Promise.all(asks.map((ask) => timedWithout('temporal', ask)));
      for (const answer of refused) expectUnavailable(answer, /database/);
      await expectInTime(refused, pace);
      await until(
        () => read('/ready'),
        (ready) =>
          ready?.status === 503 &&
          ready.body.database !== 'ok' &&
          ready.body.temporal === 'ok' &&
          ready.body.bus === 'ok',
        60_000,
      );
      expect((await read('/health'))?.status).toBe(200);

      await outage.end();
      await untilReady();
      await untilRun(await started(pure, { 'Idempotency-Key': `database-${_name}` }), hasCompleted);
      await acknowledged(`/api/neosyntis/runs/${runId}/cancel`);
      const last = await watching.next(({ run }) => run?.status === 'cancelled', 60_000);
      expect(watching.frames.map(({ seq }) => seq)).toEqual(
        Array.from({ length: last.seq }, (_, index) => index + 1),
      );
      watching.close();
    },
  );
});

describe('While the bus is', () => {
  test.each(outages)('%s, runs run, and who watches them sees everything', async (_name, begin) => {
    const runId = await runningRun();
    const watching = await openSocket(
      platform.socketUrl(`/ws/neosyntis/runs/${runId}?after=0`),
      platform.token,
    );
    await watching.next(({ type, step }) => type === 'step' && step.status === 'waiting');
    await using outage = begin(platform, 'bus');
    const code = await newWorkflow([{ speak: { run: { shell: { command: 'echo heard' } } } }]);
    const heard = await started(code);
    await untilRun(heard, hasCompleted);
    await acknowledged(`/api/neosyntis/runs/${runId}/cancel`);
    await watching.next(({ run }) => run?.status === 'cancelled', 60_000);
    watching.close();
    await outage.end();
    await untilReady();
    // What the step printed went over the bus, and is fetched.
    const run = await untilRun(heard, ({ steps }) => steps[0].logs !== '');
    expect(run.steps[0].logs).toBe('heard\n');
  });
});
