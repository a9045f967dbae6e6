import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/client.ts';
import { type Served, serveHttp } from '../support/http-server.ts';
import { enterWorld, expectStatus, type Run, type TestUser, type World } from '../support/world.ts';

let world: World;
let owner: TestUser;
let approver: TestUser;
let served: Served;

beforeAll(async () => {
  world = await enterWorld('sql');
  owner = await world.newUser();
  approver = await world.newUser('viewer');
  served = await serveHttp();
});
afterAll(async () => {
  await served.close();
  await world.close();
});

const base = '/api/neosyntis/approvals';

async function start(steps: unknown[], input: unknown = null): Promise<string> {
  const id = await world.newWorkflow(owner, steps);
  const path = `/api/neosyntis/workflows/${id}/trigger`;
  return (await expectStatus(202, world.api('POST', path, { token: owner.token, body: { input } }))).run_id;
}

const waiting = (run: Run): boolean => run.status === 'waiting';
const ended = (run: Run): boolean => /completed|failed|cancelled/.test(run.status);
const untilWaiting = (id: string) => world.untilRun(owner, id, waiting);
const untilEnded = (id: string) => world.untilRun(owner, id, ended);

const answer = (user: TestUser, path: string, body: unknown) =>
  world.api('POST', path, { token: user.token, body });
const inbox = async (user: TestUser): Promise<Run[]> =>
  (await world.api('GET', `${base}?status=open`, { token: user.token })).body;
const read = (user: TestUser, id: string) => world.api('GET', `${base}/${id}`, { token: user.token });

describe('approval.wait', () => {
  test('waits for whom it names, who see the question and not the run, and goes on with their answer', async () => {
    const events = await world.watch(owner, '/ws/events?topics=runs');
    const schema = {
      type: 'object',
      properties: { rooms: { type: 'integer', minimum: 1 } },
      required: ['rooms'],
    };
    const ask = {
      title: '${ "Release \\(.name)?" }',
      message: 'Please look.',
      approvers: [approver.username],
      schema,
    };
    const runId = await start(
      [{ ask: { call: 'approval.wait', with: ask } }, { next: { set: { said: '${ . }' } } }],
      { name: 'v2', password: 'not for approvers' },
    );
    const run = await untilWaiting(runId);
    expect(run.steps).toMatchObject([{ status: 'waiting', idempotent: true, attempt: 1 }]);
    const id = run.steps[0].approval_id;
    const asked = await events.next(({ event }) => event?.type === 'dev.vareon.approval.requested');
    expect(asked.event).toMatchObject({ subject: id, data: { run_id: runId, path: '/do/0/ask' } });
    await events.next(({ event }) => event?.type === 'dev.vareon.run.waiting' && event.subject === runId);
    events.close();
    const socket = await world.watch(owner, `/ws/neosyntis/runs/${runId}?after=0`);
    await socket.next(({ type, step }) => type === 'step' && step.approval_id === id);
    socket.close();

    const [mine, ...others] = await inbox(approver);
    expect(others).toEqual([]);
    expect(mine).toMatchObject({
      id,
      kind: 'approval',
      status: 'open',
      title: 'Release v2?',
      message: 'Please look.',
      schema,
      may_answer: true,
    });
    expect(JSON.stringify(mine)).not.toContain('not for approvers');
    expect((await world.api('GET', `/api/neosyntis/runs/${runId}`, { token: approver.token })).status).toBe(
      404,
    );
    expect((await inbox(owner)).some((one) => one.id === id)).toBe(false);
    expect((await read(owner, id)).body).toMatchObject({ may_answer: false });

    const path = `/api/neosyntis/runs/${runId}/approvals/${encodeURIComponent('/do/0/ask')}`;
    const yes = { approved: true, data: { rooms: 3 }, comment: 'fine' };
    expect((await answer(owner, path, yes)).status).toBe(403);
    expect((await answer(await world.newUser(), path, yes)).status).toBe(404);
    const broken = await answer(approver, path, { approved: true, data: { rooms: 0 } });
    expect(broken).toMatchObject({ status: 422, body: { errors: [{ path: '/data/rooms' }] } });
    expect((await answer(approver, path, { outcome: 'done' })).status).toBe(422);
    const taken = await expectStatus(200, answer(approver, path, yes));
    expect(taken).toMatchObject({ status: 'answered', decided_by: approver.username, answer: yes });
    expect(
      (await answer(approver, `${base}/${id}`, { comment: 'fine', data: { rooms: 3 }, approved: true }))
        .status,
    ).toBe(200);
    const other = await answer(world.admin, `${base}/${id}`, { approved: false });
    expect(other).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining(approver.username) },
    });

    const done = await untilEnded(runId);
    const said = { ...yes, by: approver.username, at: taken.decided_at };
    expect(done).toMatchObject({ status: 'completed', output: { said } });
    expect((await answer(approver, path, yes)).status).toBe(200);
    const audit = await world.api('GET', `/api/audit?actor=${approver.username}`, {
      token: world.admin.token,
    });
    expect(audit.body).toContainEqual(
      expect.objectContaining({ actor: approver.username, resource: decodeURI(path), outcome: 'ok' }),
    );
  });

  test('that nobody answers in time ends as `onTimeout` says, or goes to the `catch` for `timeout`; then it is closed', async () => {
    const limit = { timeout: { after: 'PT0.3S' } };
    const silent = { call: 'approval.wait', ...limit };
    const run = await world.run(owner, [
      { first: { call: 'approval.wait', with: { onTimeout: 'approve' }, ...limit } },
      { second: { set: { first: '${ .approved }', by: '${ .by }' } } },
      {
        third: {
          try: [{ silent }],
          catch: { errors: { with: { status: 408 } }, do: [{ late: { set: { ...{ late: true } } } }] },
        },
      },
    ]);
    expect(run).toMatchObject({ status: 'completed', output: { late: true } });
    expect(run.steps[1].output).toEqual({ first: true, by: null });
    const { body } = await world.api('GET', `${base}?run_id=${run.id}`, { token: owner.token });
    expect(body.map(({ name, status }: Run) => `${name} ${status}`).sort()).toEqual([
      'first answered',
      'silent closed',
    ]);
    const late = body.find(({ name }: Run) => name === 'silent');
    expect((await answer(owner, `${base}/${late.id}`, { approved: true })).status).toBe(409);
  });

  test('asks in each branch by itself; a cancel closes what is open; a role may answer; nobody is refused by name', async () => {
    const ask = { call: 'approval.wait', with: { approvers: ['role:viewer'] } };
    const loop = { for: { in: '[1, 2]' }, do: [{ ask }] };
    const runId = await start([{ both: { fork: { branches: [{ a: loop }, { b: { ...ask, with: {} } }] } } }]);
    const inner = `/do/0/both/fork/branches/0/a/do/0/ask`;
    const own = (path: string) => (one: Run) => one.run_id === runId && one.path === path;
    await until(
      () => inbox(approver),
      (all) => all.some(own(inner)),
      60_000,
    );
    const url = `/api/neosyntis/runs/${runId}/approvals/${encodeURIComponent(inner)}?iteration=`;
    expect((await answer(approver, `${url}1`, { approved: true })).status).toBe(404);
    await expectStatus(200, answer(approver, `${url}0`, { approved: true }));
    await until(
      () => inbox(approver),
      (all) => all.some((one) => own(inner)(one) && one.iteration[0] === 1),
      60_000,
    );
    await expectStatus(200, answer(approver, `${url}1`, { approved: false }));
    const [rest] = (await inbox(owner)).filter((one) => one.run_id === runId);
    await expectStatus(202, world.api('POST', `/api/neosyntis/runs/${runId}/cancel`, { token: owner.token }));
    expect(await untilEnded(runId)).toMatchObject({ status: 'cancelled' });
    expect((await read(owner, rest?.id)).body).toMatchObject({ status: 'closed', answer: null });
    const nobody = await world.run(owner, [
      { ask: { call: 'approval.wait', with: { approvers: ['nobody-has-this-name'] } } },
    ]);
    expect(nobody.error).toMatchObject({ detail: expect.stringContaining('nobody-has-this-name') });
  });

  test('reminds by mail and by signed webhook', async () => {
    const received: string[] = [];
    served.on('/remind', ({ body, headers }, response) => {
      received.push(`${headers['webhook-signature']} ${body}`);
      response.end();
    });
    const name = `reminder_${Date.now()}`;
    const value = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    await expectStatus(
      201,
      world.api('POST', '/api/neosyntis/secrets', { token: owner.token, body: { name, value } }),
    );
    const by = {
      email: 'ada@example.org',
      webhook: { url: `${served.origin}/remind`, secret: `\${ $secrets.${name} }` },
    };
    const runId = await start([
      { ask: { call: 'approval.wait', with: { title: 'Now?', remind: { after: 'PT0.1S', by } } } },
    ]);
    const run = await untilWaiting(runId);
    await until(
      async () => received,
      ({ length }) => length > 0,
      60_000,
    );
    const id = run.steps[0].approval_id;
    expect(received).toEqual([expect.stringMatching(new RegExp(`^v1,.*"type":"approval.reminder".*${id}`))]);
    const mails = await world.sql<{ subject: string }>('select subject from outbox_mails where "to" = ?', [
      'ada@example.org',
    ]);
    expect(mails).toContainEqual({ subject: 'Waiting for an answer: Now?' });
    await expectStatus(200, answer(owner, `${base}/${id}`, { approved: true }));
    expect(await untilEnded(runId)).toMatchObject({ status: 'completed' });
  });
});

describe('A step whose outcome nobody can know', () => {
  /** A server that takes a POST and breaks the connection as often as it is told to. */
  function shaky(path: string, breaks: number): () => number {
    let seen = 0;
    served.on(path, ({ socket }, response) => {
      seen++;
      if (seen <= breaks) socket.destroy();
      else response.end('at last');
    });
    return () => seen;
  }
  const post = (path: string, metadata: object = {}) => ({
    call: 'http',
    with: { method: 'POST', endpoint: `${served.origin}${path}`, body: {} },
    metadata,
  });

  test('asks done or not: done completes it, not done runs it again, fail goes to the `catch`', async () => {
    const seen = shaky('/pay', 3);
    const runId = await start([
      { pay: { ...post('/pay'), output: { as: '{ paid: . }' } } },
      { again: post('/pay') },
      {
        third: {
          try: [{ pay: post('/pay') }],
          catch: { as: 'why', do: [{ tell: { set: { why: '${ $why.detail }' } } }] },
        },
      },
    ]);
    const question = async (at: number): Promise<string> => {
      const run = await world.untilRun(
        owner,
        runId,
        ({ status, steps }) =>
          status === 'waiting' && steps.filter((step: Run) => step.approval_id).length === at,
      );
      const step = run.steps.filter((one: Run) => one.approval_id).at(-1);
      expect(step).toMatchObject({
        status: 'waiting',
        idempotent: false,
        error: { detail: expect.stringContaining('unknown') },
      });
      return step.approval_id;
    };
    const first = await question(1);
    expect((await read(owner, first)).body).toMatchObject({
      kind: 'outcome',
      status: 'open',
      known: { reason: expect.stringContaining('unknown'), host: null, output_tail: '' },
    });
    expect((await answer(approver, `${base}/${first}`, { outcome: 'done' })).status).toBe(404);
    expect((await answer(owner, `${base}/${first}`, { approved: true })).status).toBe(422);
    await expectStatus(200, answer(owner, `${base}/${first}`, { outcome: 'done', output: 'receipt 7' }));
    const second = await question(2);
    expect(seen()).toBe(2);
    await expectStatus(
      200,
      answer(owner, `${base}/${second}`, { outcome: 'fail' }).then(async () =>
        answer(owner, `${base}/${second}`, { outcome: 'fail' }),
      ),
    );
    const failed = await untilEnded(runId);
    expect(failed).toMatchObject({ status: 'failed', error: { instance: '/do/1/again' } });
    expect(failed.steps).toMatchObject([
      { status: 'completed', output: { paid: 'receipt 7' }, error: null },
      { status: 'unknown', attempt: 1 },
    ]);
  });

  test('runs again when the answer is `not_done`, and is caught when it is `fail`', async () => {
    const seen = shaky('/order', 2);
    const runId = await start([
      {
        careful: {
          try: [{ order: post('/order') }],
          catch: { as: 'why', do: [{ tell: { set: { why: '${ $why.detail }' } } }] },
        },
      },
      { next: post('/order') },
    ]);
    for (const outcome of ['not_done', 'fail']) {
      const run = await world.untilRun(
        owner,
        runId,
        (one) => one.status === 'waiting' && one.steps[1]?.attempt === (outcome === 'fail' ? 2 : 1),
      );
      await expectStatus(200, answer(owner, `${base}/${run.steps[1].approval_id}`, { outcome }));
    }
    const run = await untilEnded(runId);
    expect(run).toMatchObject({ status: 'completed', output: 'at last' });
    expect(run.steps[1]).toMatchObject({ status: 'unknown', attempt: 2 });
    expect(run.steps[2]).toMatchObject({ kind: 'set', output: { why: expect.stringContaining('unknown') } });
    expect(seen()).toBe(3);
  });

  test('runs again by itself with `onUnknown: retry`; a cancel while it asks leaves it unknown', async () => {
    const seen = shaky('/twice', 1);
    const run = await world.run(owner, [{ send: post('/twice', { onUnknown: 'retry' }) }]);
    expect(run).toMatchObject({ status: 'completed', output: 'at last', steps: [{ attempt: 2 }] });
    expect(seen()).toBe(2);
    shaky('/never', 9);
    const runId = await start([{ send: post('/never') }]);
    const { steps } = await untilWaiting(runId);
    await expectStatus(202, world.api('POST', `/api/neosyntis/runs/${runId}/cancel`, { token: owner.token }));
    expect(await untilEnded(runId)).toMatchObject({ status: 'cancelled', steps: [{ status: 'unknown' }] });
    expect((await read(owner, steps[0].approval_id)).body).toMatchObject({ status: 'closed' });
  });
});
