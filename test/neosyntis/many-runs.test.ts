import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { RECONCILER_SCHEDULE } from '../../domain/names.ts';
import { until } from '../support/client.ts';
import { type Served, serveHttp } from '../support/http-server.ts';
import { enterWorld, expectStatus, type Run, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
let served: Served;

beforeAll(async () => {
  world = await enterWorld('sql', 'temporal');
  user = await world.newUser();
  served = await serveHttp();
});
afterAll(async () => {
  await served.close();
  await world.close();
});

const call = (method: string, path: string, body?: unknown) =>
  world.api(method, path, { token: user.token, body });
const trigger = async (id: string): Promise<string> =>
  (await expectStatus(202, call('POST', `/api/neosyntis/workflows/${id}/trigger`))).run_id;

test('A run that fails, or waits for somebody for too long, is told of once of each kind, by mail and signed webhook', async () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const received: { id: string; type: string; run_id: string }[] = [];
  served.on('/told', ({ headers, body }, response) => {
    const message = new Webhook(secret).verify(body, headers as Record<string, string>) as {
      type: string;
      data: { run_id: string };
    }; // notifications.ts makes it
    received.push({ id: String(headers['webhook-id']), type: message.type, run_id: message.data.run_id });
    response.end();
  });
  const email = `told-${Date.now()}@example.org`;
  const id = await world.newWorkflow(user, [
    { ask: { call: 'approval.wait', timeout: { after: 'PT1H' } } },
    { stop: { raise: { error: { type: 'about:blank', status: 409, title: 'No', detail: 'not today' } } } },
  ]);
  const settings = `/api/neosyntis/workflows/${id}/notifications`;
  expect((await call('GET', settings)).body).toMatchObject({ on: [], email: [], webhook: null });
  const refused = await call('PUT', settings, { webhook: { url: 'file:///etc/passwd' } });
  expect(refused).toMatchObject({ status: 422, body: { errors: [{ path: '/webhook/url' }] } });
  const webhook = { url: `${served.origin}/told`, secret };
  await expectStatus(
    200,
    call('PUT', settings, { on: ['failed', 'waiting'], after: 1, email: [email], webhook }),
  );
  const kept = await expectStatus(200, call('PUT', settings, { webhook: { url: webhook.url } }));
  expect(kept).toMatchObject({ on: ['failed', 'waiting'], webhook: { has_secret: true } });
  expect(JSON.stringify(kept)).not.toContain(secret);

  const runId = await trigger(id);
  const asking = await world.untilRun(user, runId, ({ status }) => status === 'waiting');
  const pass = () => world.temporal.schedule.getHandle(RECONCILER_SCHEDULE).trigger();
  const mails = () =>
    world.sql<{ subject: string }>('select subject from outbox_mails where "to" = ?', [email]);
  const told = async (count: number) => {
    await until(
      async () => {
        await pass();
        return [...received, ...(await mails())];
      },
      ({ length }) => length >= count,
      60_000,
    );
  };
  await told(2);
  expect(received).toMatchObject([{ type: 'run.waiting', run_id: runId }]);
  const answer = `/api/neosyntis/approvals/${asking.steps[0].approval_id}`;
  await expectStatus(200, call('POST', answer, { approved: true }));
  await world.untilRun(user, runId, ({ status }) => status === 'failed');
  await told(4);
  expect(received.map(({ type }) => type)).toEqual(['run.waiting', 'run.failed']);
  expect((await mails()).map(({ subject }) => subject).sort()).toEqual([
    'test: a run failed',
    'test: a run waits for somebody',
  ]);
  const sent = await world.sql(
    'select kind from run_notifications where run_id = ? and sent_at is not null',
    [runId],
  );
  expect(sent).toHaveLength(2);
});

test('Runs of all workflows are listed by filters, and those that are open are cancelled in bulk, those that ended run again, each in the audit log', async () => {
  const name = `bulk ${Date.now()}`;
  const [open, done] = [
    await world.newWorkflow(user, [{ long: { wait: { hours: 1 } } }], name),
    await world.newWorkflow(user, [{ a: { set: { a: 1 } } }], name),
  ];
  const ids = [await trigger(open), await trigger(open), await trigger(open)];
  const other = await trigger(done);
  await world.untilRun(user, other, ({ status }) => status === 'completed');
  for (const id of ids) await world.untilRun(user, id, ({ status }) => status === 'running');
  const list = async (query: string): Promise<string[]> =>
    (await expectStatus(200, call('GET', `/api/neosyntis/runs?${query}`))).map(({ id }: Run) => id);
  const named = `name=${encodeURIComponent(name.toUpperCase())}`;
  expect(await list(named)).toEqual([other, ...ids.toReversed()]);
  expect(await list(`${named}&status=running`)).toEqual(ids.toReversed());
  expect(await list(`workflow_id=${done}`)).toEqual([other]);
  expect(await list(`${named}&created_after=${new Date(Date.now() + 60_000).toISOString()}`)).toEqual([]);
  const stranger = await world.newUser();
  const theirs = await world.api('GET', `/api/neosyntis/runs?${named}`, { token: stranger.token });
  expect(theirs.body).toEqual([]);

  const nothing = await world.api('POST', '/api/neosyntis/runs/cancel', {
    token: stranger.token,
    body: { ids },
  });
  expect(nothing).toMatchObject({ status: 202, body: { matched: 0 } });
  expect((await call('POST', '/api/neosyntis/runs/cancel', {})).status).toBe(422);
  const started = await expectStatus(
    202,
    call('POST', '/api/neosyntis/runs/cancel', { name, ids: ids.slice(0, 2) }),
  );
  expect(started).toMatchObject({ matched: 2, more: false });
  for (const id of ids.slice(0, 2)) await world.untilRun(user, id, ({ status }) => status === 'cancelled');
  const job = await until(
    async () => (await call('GET', `/api/myntrix/jobs/${started.job_id}`)).body,
    ({ status }) => status === 'completed',
    60_000,
  );
  expect(job).toMatchObject({ progress: 100, details: { counts: { cancelled: 2, failed: 0 } } });
  expect(await list(`${named}&status=running`)).toEqual(ids.slice(2));
  const audited = await world.sql('select 1 from audit_log where resource in (?)', [
    ids.slice(0, 2).map((id) => `/api/neosyntis/runs/${id}/cancel`),
  ]);
  expect(audited).toHaveLength(2);

  const again = (by: TestUser, body: object) =>
    expectStatus(
      202,
      world.api('POST', '/api/neosyntis/runs/rerun', {
        ...{ token: by.token, body },
        headers: { 'Idempotency-Key': name },
      }),
    );
  expect(await again(stranger, { ids })).toEqual({ started: [], refused: [], more: false });
  const repeated = await again(user, { name, status: 'completed' });
  expect(repeated).toMatchObject({ started: [{ rerun_of: other }], refused: [], more: false });
  const [{ run_id: repeat }] = repeated.started;
  expect(await world.untilRun(user, repeat, ({ status }) => status === 'completed')).toMatchObject({
    rerun_of: { run_id: other, from: null },
  });
  const twice = await again(user, { ids: [...ids, other] });
  const ended = [...ids.slice(0, 2), other];
  expect(twice.started.map(({ rerun_of }: Run) => rerun_of)).toEqual(ended);
  expect(twice.started.at(-1).run_id).toBe(repeat);
  const left = twice.started.slice(0, 2).map(({ run_id }: Run) => run_id);
  await expectStatus(202, call('POST', '/api/neosyntis/runs/cancel', { ids: [...ids.slice(2), ...left] }));
});
