import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { documentChanges } from '../../domain/neosyntis/changes.ts';
import { enterWorld, expectStatus, PASSWORD, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator');
});
afterAll(() => world.close());

const base = '/api/neosyntis/workflows';
const get = (path: string, status = 200) =>
  expectStatus(status, world.api('GET', `${base}/${path}`, { token: user.token }));
const send = (method: string, path: string, body: unknown, status = 200) =>
  expectStatus(status, world.api(method, `${base}/${path}`, { token: user.token, body }));

const importYaml = (text: string, query = '') =>
  fetch(`${world.url}${base}/import${query}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${user.token}`, 'content-type': 'application/yaml; charset=utf-8' },
    body: text,
  });

const imported = async (text: string) => (await (await importYaml(text)).json()) as { id: string };

const yaml = `
document: { dsl: '1.0.3', namespace: test, name: greet, version: 0.1.0, title: Greet }
evaluate: { language: jq, mode: strict }
input: { schema: { document: { type: object } } }
do:
  - greet: # somebody
      set: { text: '\${ "Hello " + .name }', no: no }
  - rest:
      wait: { milliseconds: 1 }
output: { as: .text }
`;

test('A document comes in as YAML, runs, and goes out as YAML and JSON that mean the same', async () => {
  const checked = await importYaml(yaml, '?validate_only=true');
  expect([checked.status, await checked.json()]).toEqual([200, { valid: true, errors: [], tasks: 2 }]);
  const { id } = await imported(yaml);
  const started = await send('POST', `${id}/trigger`, { input: { name: 'you' } }, 202);
  const text = await fetch(`${world.url}${base}/${id}/definition?format=yaml`, {
    headers: { authorization: `Bearer ${user.token}` },
  });
  expect(text.headers.get('content-type')).toBe('application/yaml; charset=utf-8');
  const again = await imported(await text.text());
  const [first, second] = [await get(`${id}/definition`), await get(`${again.id}/definition?format=json`)];
  expect(second).toEqual(first);
  expect(first).toMatchObject({ evaluate: { mode: 'strict' }, do: [{ greet: { set: { no: 'no' } } }, {}] });
  expect(await world.untilRun(user, started.run_id, ({ status }) => status === 'completed')).toMatchObject({
    output: 'Hello you',
  });
});

test('YAML that is none is refused with line and column, and a wrong document at its pointers', async () => {
  const broken = await importYaml('do:\n  - a: [1');
  expect([broken.status, await broken.json()]).toMatchObject([
    400,
    { code: 'bad_request', detail: expect.stringMatching(/not YAML.*\(line 2, column \d+\)/) },
  ]);
  const wrong = await importYaml(yaml.replace('wait:', 'wiat:'));
  expect([wrong.status, await wrong.json()]).toMatchObject([422, { errors: [{ path: '/do/1/rest/wiat' }] }]);
});

test('Every save is a version: who, when and why, to read, to compare and to restore', async () => {
  const steps = [{ a: { set: { n: 1 } } }, 'wait 1ms', { c: { set: { n: 3 } } }];
  const { id } = await send('POST', '', { name: 'versions', steps, note: 'a start' }, 201);
  const changed = [{ c: { set: { n: 4 } } }, { a: { set: { n: 1 } } }, { d: { do: [] } }];
  await send('PUT', id, { steps: changed, note: 'the other way round' });
  expect(await get(`${id}/versions`)).toMatchObject([
    { version: 2, note: 'the other way round', created_by: user.id, steps: changed },
    { version: 1, note: 'a start', created_by: user.id, steps },
  ]);
  expect(await get(`${id}/diff?from=1`)).toEqual([
    {
      change: 'removed',
      path: '/do/1/2-wait',
      from_path: null,
      task: '2-wait',
      before: { wait: { milliseconds: 1 } },
    },
    { change: 'moved', path: '/do/0/c', from_path: '/do/2/c', task: 'c' },
    {
      change: 'replaced',
      path: '/do/0/c/set/n',
      from_path: '/do/2/c/set/n',
      task: 'c',
      before: 3,
      after: 4,
    },
    { change: 'added', path: '/do/2/d', from_path: null, task: 'd', after: { do: [] } },
  ]);
  const restored = await send('POST', `${id}/versions/1/restore`, undefined);
  expect(restored).toMatchObject({ version: 3, steps });
  expect(await get(`${id}/versions/3`)).toMatchObject({
    version: 3,
    note: 'restores version 1',
    steps,
    document: { do: [{ a: {} }, { '2-wait': { wait: { milliseconds: 1 } } }, { c: {} }] },
  });
  expect(await get(`${id}/diff?from=1&to=3`)).toEqual([]);
  expect(await get(`${id}/diff?from=3&to=2`)).toHaveLength(4);
  await get(`${id}/versions/4`, 404);
  await get(`${id}/diff?from=9`, 404);
  await get(`${id}/definition?version=4`, 404);
});

test('A version that ran code is restored only by who may run code', async () => {
  const coder = await world.newUser('operator', { runsCode: true });
  const id = await world.newWorkflow(coder, [{ sh: { run: { shell: { command: 'true' } } } }]);
  const token = coder.token;
  await expectStatus(200, world.api('PUT', `${base}/${id}`, { token, body: { steps: [] } }));
  await expectStatus(
    200,
    world.api('PUT', `/api/users/${coder.id}`, {
      token: world.admin.token,
      body: { granted_permissions: [] },
    }),
  );
  const login = { username: coder.username, password: PASSWORD };
  const { access_token } = await expectStatus(200, world.api('POST', '/api/token', { body: login }));
  await expectStatus(403, world.api('POST', `${base}/${id}/versions/1/restore`, { token: access_token }));
});

test('The difference of documents of any shape is found in one pass', () => {
  const many = (n: number) => ({
    do: Array.from({ length: 1_000 }, (_, at) => ({ [`t${(at * n) % 1_009}`]: { set: { at } } })),
    list: Array.from({ length: 20_000 }, (_, at) => at * n),
  });
  expect(documentChanges(many(1), many(1))).toEqual([]);
  expect(documentChanges(many(1), many(2)).length).toBeGreaterThan(500);
  expect(documentChanges({ do: [] }, { do: [{ a: 1 }] })).toMatchObject([
    { change: 'added', path: '/do/0/a' },
  ]);
  expect(documentChanges({ a: { 'x/y': [1] } }, { a: { 'x/y': [1, 2] } })).toEqual([
    { change: 'replaced', path: '/a/x~1y', from_path: null, task: null, before: [1], after: [1, 2] },
  ]);
});
