import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isEnded } from '../../domain/neosyntis/runs.ts';
import { until } from '../support/client.ts';
import { enterWorld, expectStatus, PASSWORD, type Run, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
const namespace = `n${randomBytes(6).toString('hex')}`;

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser();
  await save('add', '1.0.0', [{ sum: { set: { sum: '${ .a + .b }' } } }]);
  await save('breaks', '1.0.0', [
    {
      no: {
        raise: { error: { type: 'https://example.org/no', status: 418, title: 'No', detail: 'not today' } },
      },
    },
  ]);
  await save('long', '1.0.0', [{ long: { wait: { hours: 1 } } }]);
});
afterAll(() => world.close());

async function save(name: string, version: string, steps: unknown[], by = user): Promise<string> {
  const document = { document: { dsl: '1.0.3', namespace, name, version }, do: steps };
  const body = await expectStatus(
    201,
    world.api('POST', '/api/neosyntis/workflows/import', {
      token: by.token,
      body: { document: document.document, do: steps },
    }),
  );
  return body.id;
}

const start = (name: string, more: object = {}, given: object = {}) => ({
  run: { workflow: { namespace, name, ...more }, ...given },
});
const childrenOf = async (run: Run): Promise<Run[]> =>
  expectStatus(200, world.api('GET', `/api/neosyntis/runs/${run.id}/children`, { token: user.token }));

describe('A step that runs another workflow', () => {
  test('is a run of its own, whose output is the step’s', async () => {
    const add = (input: object) => ({ ...start('add', { input }) });
    const run = await world.run(
      user,
      [
        { first: add({ a: '${ .n }', b: 1 }) },
        { loop: { for: { in: '[10, 20]' }, do: [{ next: add({ a: '${ .sum }', b: '${ $item }' }) }] } },
      ],
      { n: 1 },
    );
    expect(run).toMatchObject({ status: 'completed', output: { sum: 32 }, parent: null });
    const children = await childrenOf(run);
    expect(children.map(({ output, status }) => `${status} ${output.sum}`).sort()).toEqual(
      [12, 2, 32].map((sum) => `completed ${sum}`),
    );
    const last = children.find(({ output }) => output.sum === 32);
    expect(last).toMatchObject({
      parent: { run_id: run.id, path: '/do/1/loop/do/0/next', iteration: [1] },
      input: { a: 12, b: 20 },
    });
    const job = await world.api('GET', `/api/myntrix/jobs/${last?.id}`, { token: user.token });
    expect(job.body).toMatchObject({ type: 'workflow_run', status: 'completed' });
  });

  test('fails with the other run’s problem, which can be caught', async () => {
    const run = await world.run(user, [
      {
        caught: {
          try: [{ no: start('breaks') }],
          catch: { errors: { with: { status: 418 } }, do: [{ seen: { set: '${ $error }' } }] },
        },
      },
    ]);
    const [child] = await childrenOf(run);
    expect(run).toMatchObject({
      status: 'completed',
      output: {
        ...{ type: 'https://example.org/no', status: 418, title: 'No' },
        detail: `Run ${child?.id} failed at /do/0/no: not today`,
        instance: '/do/0/caught/try/0/no',
      },
    });
    expect(child).toMatchObject({ status: 'failed', error: { instance: '/do/0/no' } });
  });

  test('takes the version that it names, or the latest, of its owner’s alone', async () => {
    const versioned = 'versioned';
    await save(versioned, '1.0.0', [{ a: { set: { v: 1 } } }]);
    await save(versioned, '2.0.0', [{ a: { set: { v: 2 } } }]);
    const run = await world.run(user, [
      { old: { ...start(versioned, { version: '1.0.0' }), export: { as: '.v' } } },
      { newest: { ...start(versioned), output: { as: '[$context, .v]' } } },
    ]);
    expect(run.output).toEqual([1, 2]);
    const missing = await world.run(user, [{ no: start(versioned, { version: '3.0.0' }) }]);
    expect(missing).toMatchObject({
      status: 'failed',
      error: { status: 400, type: expect.stringMatching(/configuration$/) },
    });
    expect(missing.error.detail).toMatch(/in version 3\.0\.0; there is version 1\.0\.0, version 2\.0\.0/);
    const stranger = await world.newUser();
    const theirs = await world.run(stranger, [{ no: start(versioned) }]);
    expect(theirs.error.detail).toBe(`Its owner has no workflow ${namespace}/${versioned}.`);
  });

  test('runs code only for those who may, and does not nest without end', async () => {
    const coder = await world.newUser('operator', { runsCode: true });
    await save('code', '1.0.0', [{ c: { run: { shell: { command: 'echo yes' } } } }], coder);
    const may = await world.run(coder, [{ c: start('code') }]);
    expect(may).toMatchObject({ status: 'completed', output: 'yes\n' });
    await world.api('PUT', `/api/users/${coder.id}`, {
      token: world.admin.token,
      body: { granted_permissions: [] },
    });
    const { body: again } = await world.api('POST', '/api/token', {
      body: { username: coder.username, password: PASSWORD },
    });
    coder.token = again.access_token;
    const mayNot = await world.run(coder, [{ c: start('code') }]);
    expect(mayNot).toMatchObject({ status: 'failed', error: { status: 403 } });

    await save('self', '1.0.0', [{ again: start('self') }]);
    const nested = await world.run(user, [{ begin: start('self') }]);
    expect(nested.error.detail).toContain('nested 20 deep');
  });

  test('is cancelled with the run that waits for it; one that nobody waits for goes on', async () => {
    const id = await world.newWorkflow(user, [
      { free: { ...start('long', {}, { await: false }), output: { as: '{ passed: . }' } } },
      { held: start('long') },
    ]);
    const { run_id } = await expectStatus(
      202,
      world.api('POST', `/api/neosyntis/workflows/${id}/trigger`, { token: user.token, body: { input: 7 } }),
    );
    const run = await world.untilRun(user, run_id, ({ steps }) => steps[1]?.status === 'running');
    expect(run.steps[0]).toMatchObject({ status: 'completed', output: { passed: 7 } });
    const started = async (child: Run) =>
      world.untilRun(user, child.id, ({ status }) => status === 'running');
    const childAt = (path: string) =>
      until(
        async () => (await childrenOf(run)).find(({ parent }) => parent.path === path),
        (found) => found !== undefined,
        60_000,
      );
    const [child = {}, free = {}] = [await childAt('/do/1/held'), await childAt('/do/0/free')];
    await Promise.all([started(child), started(free)]);
    await world.api('POST', `/api/neosyntis/runs/${run_id}/cancel`, { token: user.token });
    expect(await world.untilRun(user, run_id, ({ status }) => isEnded(status))).toMatchObject({
      status: 'cancelled',
    });
    expect(await world.untilRun(user, child.id, ({ status }) => isEnded(status))).toMatchObject({
      status: 'cancelled',
    });
    expect((await childAt('/do/0/free'))?.status).toBe('running');
    await world.api('POST', `/api/neosyntis/runs/${free.id}/cancel`, { token: user.token });
  });
});
