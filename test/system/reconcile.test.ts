import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import proto from '@temporalio/proto';
import { v7 as uuidv7 } from 'uuid';
import { pacerId, scheduleIdOf } from '../../domain/names.ts';
import { until } from '../support/client.ts';
import { schedulesIn } from '../support/schedules.ts';
import { enterWorld, type Run, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await enterWorld('sql', 'temporal');
  user = await world.newUser('operator', { runsCode: true });
});
afterAll(() => world.close());

/** As many passes as it needs; each looks at what of all tests of this stack is to be set right. */
const RIGHTED_MS = 120_000;

const righted = (id: string, done: (run: Run) => boolean): Promise<Run> =>
  world.untilRun(user, id, done, RIGHTED_MS);

/**
 * A run that was written and never started: what a crash of the API between its two writes leaves behind.
 * @param age how long ago (a PostgreSQL interval); the reconciler leaves one that is to come alone
 */
async function written(
  workflowId: string,
  { parent = null as string | null, id = uuidv7(), age = '0 s' } = {},
): Promise<string> {
  await world.sql(
    `with job as (
       insert into jobs (id, type, name, owner_id, status, details, created_at, updated_at)
       values (?, 'workflow_run', 'test', ?, 'pending', '{}', now() - ?::interval, now()))
     insert into runs (id, workflow_id, version, started_by, input, parent_run_id, parent_path, parent_iteration)
       values (?, ?, 1, ?, 'null', ?, '/do/0/long', '{}')`,
    [id, user.id, age, id, workflowId, user.id, parent],
  );
  return id;
}

async function trigger(steps: unknown[]): Promise<string> {
  const workflowId = await world.newWorkflow(user, steps);
  const { body } = await world.api('POST', `/api/neosyntis/workflows/${workflowId}/trigger`, {
    token: user.token,
  });
  return body.run_id;
}

/** Completes a run in Temporal with an output that nobody can read any more: its key or its blob is gone. */
async function endedUnreadably(): Promise<string> {
  const runId = uuidv7();
  const { workflowService: service, options } = world.temporal;
  const { namespace } = options;
  const taskQueue = `unreadable-${runId}`;
  await world.temporal.workflow.start('neosyntisRun', { workflowId: runId, taskQueue, args: [] });
  const { taskToken } = await world.temporal.withDeadline(Date.now() + 60_000, () =>
    service.pollWorkflowTaskQueue({ namespace, taskQueue: { name: taskQueue } }),
  );
  const payload = { metadata: { encoding: Buffer.from('binary/lost') }, data: Buffer.from('?') };
  await service.respondWorkflowTaskCompleted({
    namespace,
    taskToken,
    commands: [
      {
        commandType: proto.temporal.api.enums.v1.CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
        completeWorkflowExecutionCommandAttributes: { result: { payloads: [payload] } },
      },
    ],
  });
  return runId;
}

const isStatus =
  (status: string) =>
  (run: Run): boolean =>
    run.status === status;

describe('The reconciler', () => {
  test.concurrent('starts a run that was written and never started', async () => {
    const workflowId = await world.newWorkflow(user, [{ a: { set: { done: true } } }]);
    const id = await written(workflowId);
    const run = await righted(id, ({ status }) => status === 'completed');
    expect(run.output).toEqual({ done: true });
  });

  test.concurrent('leaves a run that a step wrote to the run of that step, and cancels it when that has ended', async () => {
    const parent = await trigger([{ long: { wait: { hours: 1 } } }]);
    const workflowId = await world.newWorkflow(user, [{ a: { set: { done: true } } }]);
    const child = await written(workflowId, { parent });
    const alone = await written(workflowId);
    // A pass that starts the one leaves the other.
    await righted(alone, isStatus('completed'));
    await world.untilRun(user, child, isStatus('pending'), 1_000);
    await world.api('POST', `/api/neosyntis/runs/${parent}/cancel`, { token: user.token });
    const run = await righted(child, isStatus('cancelled'));
    expect(run).toMatchObject({ steps: [], parent: { run_id: parent } });
  });

  test.concurrent('passes over a run that it cannot set right, and sets right those after it', async () => {
    const workflowId = await world.newWorkflow(user, [{ a: { set: { done: true } } }]);
    const broken = await written(workflowId, { id: await endedUnreadably() });
    const next = await written(workflowId);
    await righted(next, isStatus('completed'));
    const { body } = await world.api('GET', `/api/neosyntis/runs/${broken}`, { token: user.token });
    expect(body.status).toBe('pending');
    await world.sql("update jobs set status = 'failed', ended_at = now() where id = ?", [broken]);
  });

  test.concurrent('closes a run that was terminated in Temporal, and tells those who watch', async () => {
    const workflowId = await world.newWorkflow(user, [{ long: { wait: { hours: 1 } } }]);
    const { body } = await world.api('POST', `/api/neosyntis/workflows/${workflowId}/trigger`, {
      token: user.token,
    });
    const socket = await world.watch(user, `/ws/neosyntis/runs/${body.run_id}?after=0`);
    await socket.next(({ type, step }) => type === 'step' && step.status === 'waiting');
    await world.temporal.workflow.getHandle(body.run_id).terminate('a test');
    const end = await socket.next(({ type, run }) => type === 'run' && run.status === 'failed', RIGHTED_MS);
    expect(end.run.error.detail).toMatch(/TERMINATED/);
    const run = await world.untilRun(user, body.run_id, ({ status }) => status === 'failed');
    expect(run.steps).toMatchObject([{ status: 'unknown' }]);
    socket.close();
  });

  test.concurrent('closes a run that timed out in Temporal', async () => {
    const workflowId = await world.newWorkflow(user, [{ long: { wait: { hours: 1 } } }]);
    const id = await written(workflowId, { age: '-1 hour' });
    const [version] = await world.sql<{ document: unknown }>(
      'select document from workflow_versions where workflow_id = ?',
      [workflowId],
    );
    // Nothing in the platform sets such a limit; the operator of a Temporal of one's own may.
    await world.temporal.workflow.start('neosyntisRun', {
      workflowId: id,
      taskQueue: 'platform',
      workflowExecutionTimeout: '3 seconds',
      args: [{ workflowId, version: 1, document: version?.document, input: null }],
    });
    await world.sql('update jobs set created_at = now() where id = ?', [id]);
    const run = await righted(id, isStatus('failed'));
    expect(run.error.detail).toMatch(/TIMED_OUT/);
    // On a slow machine it may not have come to its step.
    expect(run.steps.filter(({ status }: Run) => status !== 'unknown')).toEqual([]);
  });

  test.concurrent('closes a run that was deleted in Temporal, and does not start it again', async () => {
    const id = await trigger([{ long: { wait: { hours: 1 } } }]);
    await world.untilRun(user, id, ({ steps }) => steps[0]?.status === 'waiting');
    await world.temporal.workflowService.deleteWorkflowExecution({
      namespace: world.temporal.options.namespace,
      workflowExecution: { workflowId: id },
    });
    const run = await righted(id, isStatus('failed'));
    expect(run.error.detail).toMatch(/does not know this run any more|TERMINATED/);
    expect(run.steps).toMatchObject([{ status: 'unknown' }]);
  });

  test.concurrent('brings schedules back, in line with their rows, and ends those that nobody has', async () => {
    const scheduled = async (schedule: object) => {
      const document = { dsl: '1.0.3', namespace: 'test', name: 'scheduled', version: '0.1.0' };
      const body = { document, do: [{ a: { set: { a: 1 } } }], schedule };
      return (await world.api('POST', '/api/neosyntis/workflows/import', { token: user.token, body })).body
        .id;
    };
    const { schedule, workflow } = world.temporal;
    const inTemporal = schedulesIn(() => world);
    const [gone, other, paced] = await Promise.all([
      scheduled({ cron: '0 5 1 1 *' }),
      scheduled({ every: 'P10D' }),
      scheduled({ after: 'P10D' }),
    ]);
    const orphan = uuidv7();
    const pacer = workflow.getHandle(pacerId(scheduleIdOf(paced)));
    const pacerStatus = () =>
      pacer.describe().then(
        ({ status }) => status.name,
        () => 'none',
      );
    await Promise.all([
      ...[gone, other].map((id) => inTemporal.until(id, (found) => found !== undefined)),
      until(pacerStatus, (status) => status === 'RUNNING', 60_000),
    ]);
    await schedule.getHandle(scheduleIdOf(gone)).delete();
    await pacer.terminate('a test');
    await schedule.create({
      scheduleId: scheduleIdOf(orphan),
      spec: { intervals: [{ every: '10 days' }] },
      action: { type: 'startWorkflow', workflowType: 'nothing', taskQueue: 'nobody' },
    });
    // As an API leaves it that is killed between the row and Temporal.
    await world.sql('update schedules set paused = true where subject_id = ?', [other]);
    const found = async () => {
      const state = (id: string) =>
        schedule
          .getHandle(scheduleIdOf(id))
          .describe()
          .then(
            ({ state: { paused } }) => (paused ? 'paused' : 'on'),
            () => 'none',
          );
      const [one, two, three] = await Promise.all([gone, other, orphan].map(state));
      return [one, two, three, await pacerStatus()];
    };
    await until(found, (all) => all.join() === 'on,paused,none,RUNNING', RIGHTED_MS);
  });
});

/** Resets a run to the end of one of its workflow tasks, counted from 0 (from the last one when negative). */
async function reset(workflowId: string, task: number): Promise<void> {
  // What a run tells can be there before the workflow task that told it is over.
  const ended = await until(
    async () => {
      const { events } = await world.temporal.workflow.getHandle(workflowId).fetchHistory();
      return (events ?? []).filter(
        ({ workflowTaskCompletedEventAttributes }) => workflowTaskCompletedEventAttributes,
      );
    },
    ({ length }) => length > 0,
    60_000,
  );
  const { runId } = await world.temporal.workflow.getHandle(workflowId).describe();
  await world.temporal.workflowService.resetWorkflowExecution({
    namespace: world.temporal.options.namespace,
    workflowExecution: { workflowId, runId },
    reason: 'a test',
    workflowTaskFinishEventId: ended.at(task)?.eventId ?? null,
    requestId: uuidv7(),
  });
}

test.concurrent('A pause that was asked for and never reached the run reaches it', async () => {
  const id = await trigger([{ rest: { wait: { hours: 1 } } }]);
  await world.untilRun(user, id, ({ steps }) => steps[0]?.status === 'waiting');
  await world.sql('update runs set pause_wanted = true where id = ?', [id]);
  await righted(id, isStatus('paused'));
  await world.temporal.workflow.getHandle(id).cancel();
  await world.untilRun(user, id, isStatus('cancelled'));
});

describe('A run that is reset in Temporal', () => {
  test.concurrent('is open again after it had ended, and ends again with its steps as they went', async () => {
    const id = await trigger([
      { first: { set: { n: 1 } } },
      { pause: { wait: { milliseconds: 300 } } },
      { last: { set: { n: 2 } } },
    ]);
    const before = await world.untilRun(user, id, isStatus('completed'));
    const socket = await world.watch(user, `/ws/neosyntis/runs/${id}?after=0`);
    await reset(id, 0);
    const again = await righted(
      id,
      ({ status, ended_at }) => status === 'completed' && ended_at !== before.ended_at,
    );
    expect(again).toMatchObject({ output: { n: 2 }, steps_total: 3, error: null });
    expect(again.steps.map(({ name, status }: Run) => [name, status])).toEqual([
      ['first', 'completed'],
      ['pause', 'completed'],
      ['last', 'completed'],
    ]);
    // Who watches sees it go on, with no number left out.
    const { seq } = await socket.next(
      ({ type, run }) => type === 'run' && run.ended_at === again.ended_at,
      60_000,
    );
    const runs = socket.frames.filter(({ type }) => type === 'run').map(({ run }) => run.status);
    expect(runs).toEqual(['running', 'completed', 'running', 'completed']);
    expect(socket.frames.map((frame) => frame.seq)).toEqual(
      Array.from({ length: seq }, (_, index) => index + 1),
    );
    socket.close();
  });

  test.concurrent('shows what it waits for, though it has nothing new to tell', async () => {
    const id = await trigger([{ first: { wait: { seconds: 2 } } }, { second: { wait: { hours: 1 } } }]);
    const socket = await world.watch(user, `/ws/neosyntis/runs/${id}?after=0`);
    const next = (name: string, after = 0) =>
      socket.next(
        ({ type, step, seq }) =>
          type === 'step' && step.name === name && step.status === 'waiting' && seq > after,
        RIGHTED_MS,
      );
    const { seq: before } = await next('second');
    // Back to where it waited for the first time: the timer, which was over, begins anew.
    await reset(id, 0);
    const { seq: again } = await next('first', before);
    const { body: run } = await world.api('GET', `/api/neosyntis/runs/${id}`, { token: user.token });
    // While it waits there it has no second step; should it be over by now, it has.
    const [first, ...others] = run.steps;
    expect(first.status === 'waiting' ? others : []).toEqual([]);
    expect(run).toMatchObject({ status: 'running', steps_total: run.steps.length });
    await next('second', again);
    await righted(id, ({ steps }) => steps[1]?.status === 'waiting');
    socket.close();
    await world.temporal.workflow.getHandle(id).cancel();
    await world.untilRun(user, id, isStatus('cancelled'));
  });

  test.concurrent('that would run a code step again is told that its host ran it before', async () => {
    const id = await trigger([
      { code: { run: { shell: { command: 'echo once' } }, metadata: { onUnknown: 'fail' } } },
    ]);
    await world.untilRun(user, id, isStatus('completed'));
    await reset(id, 0);
    const run = await righted(id, isStatus('failed'));
    expect(run.error.detail).toMatch(/ran this step before.*runs no step twice/s);
    expect(run.steps).toMatchObject([{ status: 'unknown' }]);
  });

  test.concurrent('and then ended there without a word is closed with what it had told', async () => {
    const id = await trigger([{ first: { set: { n: 1 } } }, { long: { wait: { hours: 1 } } }]);
    await world.untilRun(user, id, ({ steps }) => steps[1]?.status === 'waiting');
    await reset(id, 0);
    await world.temporal.workflow.getHandle(id).terminate('a test');
    const run = await righted(id, isStatus('failed'));
    expect(run.error.detail).toMatch(/TERMINATED/);
    expect(run.steps.map(({ status }: Run) => status)).not.toContain('waiting');
  });
});
