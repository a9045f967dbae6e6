import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator');
});
afterAll(() => world.close());

/** The promise is 30 s. */
const RIGHT_WITHIN_MS = 30_000;

describe('The reconciler', () => {
  test('starts a run that was written and never started', async () => {
    const workflowId = await world.newWorkflow(user, [{ a: { set: { done: true } } }]);
    const id = uuidv7();
    // What a crash of the API between its two writes leaves behind.
    await world.sql(
      `with job as (
         insert into jobs (id, type, name, owner_id, status, details, created_at, updated_at)
         values (?, 'workflow_run', 'test', ?, 'pending', '{}', now(), now()))
       insert into runs (id, workflow_id, version, started_by, input) values (?, ?, 1, ?, 'null')`,
      [id, user.id, id, workflowId, user.id],
    );
    const run = await world.untilRun(user, id, ({ status }) => status === 'completed', RIGHT_WITHIN_MS);
    expect(run.output).toEqual({ done: true });
  }, 40_000);

  test('closes a run that was terminated in Temporal, and tells those who watch', async () => {
    const workflowId = await world.newWorkflow(user, [{ long: { wait: { hours: 1 } } }]);
    const { body } = await world.api('POST', `/api/neosyntis/workflows/${workflowId}/trigger`, {
      token: user.token,
    });
    const socket = await world.watch(user, `/ws/neosyntis/runs/${body.run_id}?after=0`);
    await socket.next(({ type, step }) => type === 'step' && step.status === 'waiting');
    await world.temporal.workflow.getHandle(body.run_id).terminate('a test');
    const end = await socket.next(
      ({ type, run }) => type === 'run' && run.status === 'failed',
      RIGHT_WITHIN_MS,
    );
    expect(end.run.error.detail).toMatch(/TERMINATED/);
    const run = await world.untilRun(user, body.run_id, ({ status }) => status === 'failed');
    expect(run.steps).toMatchObject([{ status: 'unknown' }]);
    socket.close();
  }, 40_000);
});
