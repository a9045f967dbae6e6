import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Served, serveHttp } from '../support/http-server.ts';
import { testStack } from '../support/stack.ts';
import { enterWorld, expectStatus, type World } from '../support/world.ts';

const { replicaLagMs = 0 } = testStack();
let world: World;
let served: Served;
const offline = `far-${Date.now().toString(36)}`;
const code = (metadata: object = {}) => [{ step: { run: { shell: { command: 'echo ran' } }, metadata } }];
const workflows = '/api/neosyntis/workflows';

beforeAll(async () => {
  world = await enterWorld();
  served = await serveHttp();
  const { token } = world.admin;
  const { token: enrolment } = await expectStatus(
    201,
    world.api('POST', '/api/hosts/enrolments', { token, body: {} }),
  );
  await expectStatus(
    201,
    world.api('POST', '/api/host/enrol', { body: { token: enrolment, name: offline } }),
  );
});
afterAll(async () => {
  await served.close();
  await world.api('DELETE', `/api/hosts/${offline}`, { token: world.admin.token });
  await world.close();
});

/** Adds or removes one user; other tests' grants stay. */
async function grant(host: string, userId: string, isGranted: boolean): Promise<void> {
  const { token } = world.admin;
  const { users } = await expectStatus(200, world.api('GET', `/api/hosts/${host}/grants`, { token }));
  const others = users.filter((id: string) => id !== userId);
  const body = { users: isGranted ? [...others, userId] : others };
  await expectStatus(200, world.api('PUT', `/api/hosts/${host}/grants`, { token, body }));
  // Of several APIs the others may decide by what they knew for so long.
  if (replicaLagMs > 0) await new Promise((resolve) => setTimeout(resolve, replicaLagMs));
}

describe('Code on a host', () => {
  test('is for whom it was granted, on that host only, as long as it is', async () => {
    const user = await world.newUser();
    const save = () =>
      world.api('POST', workflows, { token: user.token, body: { name: 'x', steps: code() } });
    expect((await save()).status).toBe(403);
    await grant('local', user.id, true);
    expect(await world.run(user, code())).toMatchObject({ status: 'completed', steps: [{ host: 'local' }] });
    const elsewhere = await world.run(user, code({ host: offline }));
    expect(elsewhere).toMatchObject({
      status: 'failed',
      error: {
        type: expect.stringMatching(/authorization$/),
        status: 403,
        detail: expect.stringContaining(offline),
        instance: '/do/0/step',
      },
    });

    const id = await world.newWorkflow(user, code());
    await grant('local', user.id, false);
    expect((await world.api('POST', `${workflows}/${id}/trigger`, { token: user.token })).status).toBe(403);
  });

  test('that was granted when a run began and is not any more does not run', async () => {
    const user = await world.newUser();
    await grant('local', user.id, true);
    const reached = Promise.withResolvers<void>();
    const letGo = Promise.withResolvers<void>();
    served.on('/gate', async (_request, response) => {
      reached.resolve();
      await letGo.promise;
      response.end();
    });
    const gate = { call: 'http', with: { method: 'get', endpoint: `${served.origin}/gate` } };
    const id = await world.newWorkflow(user, [{ gate }, ...code()]);
    const { run_id } = await expectStatus(
      202,
      world.api('POST', `${workflows}/${id}/trigger`, { token: user.token }),
    );
    await reached.promise;
    await grant('local', user.id, false);
    letGo.resolve();
    const run = await world.untilRun(user, run_id, ({ status }) => status === 'failed');
    expect(run.error.type).toMatch(/authorization$/);
  });

  test('is not for an API token whose owner lost the grant, nor for one that was made without it', async () => {
    const user = await world.newUser();
    await grant('local', user.id, true);
    const newToken = async (permissions: string[]) =>
      (
        await expectStatus(
          201,
          world.api('POST', '/api/api-tokens', {
            token: user.token,
            body: { name: 'ci', permissions, expires_at: null },
          }),
        )
      ).token;
    const few = ['neosyntis:workflows:run', 'neosyntis:workflows:read', 'neosyntis:workflows:write'];
    const [with_, without] = [
      await newToken([...few, 'neosyntis:workflows:execute_code']),
      await newToken(few),
    ];
    const id = await world.newWorkflow(user, code());
    const trigger = async (token: string) =>
      (await world.api('POST', `${workflows}/${id}/trigger`, { token })).status;
    expect(await trigger(without)).toBe(403);
    expect(await trigger(with_)).toBe(202);
    await grant('local', user.id, false);
    expect(await trigger(with_)).toBe(403);
  });

  test('is everywhere for administrators and for whom the permission was granted; unknown users are refused', async () => {
    const everywhere = await world.newUser('operator', { runsCode: true });
    expect(await world.run(everywhere, code({ host: 'local' }))).toMatchObject({ status: 'completed' });
    expect(await world.run(world.admin, code({ host: 'local' }))).toMatchObject({ status: 'completed' });
    const { token } = world.admin;
    const nobody = '019a9b4c-5d6e-7f80-8a1b-2c3d4e5f6071';
    const body = { users: [everywhere.id, nobody] };
    expect(await world.api('PUT', `/api/hosts/${offline}/grants`, { token, body })).toMatchObject({
      status: 422,
      body: { errors: [{ path: '/users/1' }] },
    });
    expect((await world.api('GET', `/api/hosts/${offline}/grants`, { token })).body).toEqual({ users: [] });
  });
});

test.each([
  [{ host: 5 }, /host's name/],
  [{ host: 'Not A Host' }, /host's name/],
  [{ capability: { gpu: ['a'] } }, /capability/],
  [{ onHostLoss: 'retry' }, /fail or move/],
  [{ onHostLoss: 'move' }, /idempotent: true/],
  [{ onHostLoss: 'move', idempotent: 'yes' }, /idempotent/],
])('A step whose metadata is %j is refused when it is saved', async (metadata, says) => {
  const { body } = await world.api('POST', `${workflows}/validate`, {
    token: world.admin.token,
    body: { steps: code(metadata) },
  });
  expect(body.errors.map(({ message }: { message: string }) => message).join()).toMatch(says);
  expect(body.errors[0].path).toMatch(/^\/steps\/0\/step\/metadata\//);
});
