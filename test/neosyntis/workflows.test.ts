import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
const path = '/api/neosyntis/workflows';
const steps = [{ a: { set: { a: 1 } } }];

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator');
});
afterAll(() => world.close());

const create = (body: unknown) => world.api('POST', path, { token: user.token, body });

describe('A workflow', () => {
  test('is created, read, changed, listed and deleted', async () => {
    const made = await create({ name: 'first', description: 'does little', steps });
    expect(made.status).toBe(201);
    expect(made.headers.location).toBe(`${path}/${made.body.id}`);
    expect(made.body).toMatchObject({
      name: 'first',
      status: 'pending',
      version: 1,
      owner_id: user.id,
      steps,
    });
    const { token } = user;
    const own = `${path}/${made.body.id}`;
    const changed = await world.api('PUT', own, {
      token,
      body: { ...made.body, name: 'second', steps: ['wait 5s'] },
    });
    expect(changed.body).toMatchObject({
      name: 'second',
      version: 2,
      steps: ['wait 5s'],
      description: 'does little',
    });
    const { body: versions } = await world.api('GET', `${own}/versions`, { token });
    expect(versions).toMatchObject([
      { version: 2, created_by: user.id },
      { version: 1, steps },
    ]);
    const { body: list } = await world.api('GET', `${path}?name=second`, { token });
    expect(list).toEqual([changed.body]);
    expect((await world.api('DELETE', own, { token })).status).toBe(204);
    expect((await world.api('GET', own, { token })).status).toBe(404);
  });

  test('keeps a stale writer from overwriting it', async () => {
    const id = await world.newWorkflow(user, steps);
    const own = `${path}/${id}`;
    const { token } = user;
    const { etag } = (await world.api('GET', own, { token })).headers;
    const headers = { 'If-Match': String(etag) };
    expect((await world.api('PUT', own, { token, headers, body: { name: 'mine' } })).status).toBe(200);
    expect((await world.api('PUT', own, { token, headers, body: { name: 'theirs' } })).status).toBe(412);
  });

  test('refuses a change of what cannot be changed, naming it', async () => {
    const id = await world.newWorkflow(user, steps);
    const { status, body } = await world.api('PUT', `${path}/${id}`, {
      token: user.token,
      body: { version: 7 },
    });
    expect(status).toBe(422);
    expect(body.errors).toMatchObject([{ path: '/version' }]);
  });

  test('with errors is a 422 that names every problem at its place', async () => {
    const { status, body } = await create({
      name: 'bad',
      steps: [
        'notify.emial to=a@b.c',
        { one: { sett: {} } },
        { two: { set: { a: '${ .a | }' } } },
        { three: { listen: {} } },
      ],
    });
    expect(status).toBe(422);
    expect(body.errors).toMatchObject([
      { path: '/steps/0', message: expect.stringContaining('notify.email') },
      { path: '/steps/1/one/sett', message: expect.stringContaining('did you mean `set`') },
      { path: '/steps/3/three/listen', message: expect.stringContaining('`to` is missing') },
      { path: '/steps/2/two/set/a', message: expect.stringContaining('not valid jq') },
    ]);
  });

  test('with unknown fields is refused, naming them', async () => {
    const { status, body } = await create({ name: 'x', steps, colour: 'red' });
    expect(status).toBe(422);
    expect(body.errors).toEqual([
      { path: '/colour', message: expect.stringContaining('unknown field "colour"') },
    ]);
  });

  test('is checked without being saved', async () => {
    const validate = (sent: unknown[]) =>
      world.api('POST', `${path}/validate`, { token: user.token, body: { steps: sent } });
    expect((await validate(steps)).body).toEqual({ valid: true, errors: [], tasks: 1 });
    expect((await validate([{ a: {} }])).body).toMatchObject({
      valid: false,
      tasks: 0,
      errors: [{ path: '/steps/0/a' }],
    });
  });

  test('that runs code is saved and run only by those to whom it was granted', async () => {
    const code = [{ a: { run: { shell: { command: 'true' } } } }];
    const refused = await create({ name: 'code', steps: code });
    expect(refused.status).toBe(403);
    expect(refused.body.detail).toMatch(/neosyntis:workflows:execute_code/);
    const granted = await world.newUser('operator', { runsCode: true });
    const id = await world.newWorkflow(granted, code);
    const { token } = world.admin;
    await world.api('PUT', `/api/users/${granted.id}`, { token, body: { granted_permissions: [] } });
    const again = await world.api('POST', '/api/token', {
      body: { username: granted.username, password: 'a long walk to the sea' },
    });
    const trigger = await world.api('POST', `${path}/${id}/trigger`, { token: again.body.access_token });
    expect(trigger.status).toBe(403);
  });

  test('of somebody else is not found', async () => {
    const id = await world.newWorkflow(user, steps);
    const { token } = await world.newUser('operator');
    for (const [method, own, body] of [
      ['GET', `${path}/${id}`],
      ['PUT', `${path}/${id}`, { name: 'x' }],
      ['DELETE', `${path}/${id}`],
      ['POST', `${path}/${id}/trigger`],
      ['GET', `${path}/${id}/runs`],
      ['GET', `${path}/${id}/status`],
    ] as const)
      expect((await world.api(method, own, { token, body })).status).toBe(404);
  });

  test('is paged with a link to the next page', async () => {
    const one = await world.newUser('operator');
    for (let n = 0; n < 3; n++) await world.newWorkflow(one, steps, `w${n}`);
    const first = await world.api('GET', `${path}?limit=2`, { token: one.token });
    expect(first.body.map(({ name }: { name: string }) => name)).toEqual(['w2', 'w1']);
    const next = /<(.*)>; rel="next"/.exec(String(first.headers.link))?.[1] ?? '';
    expect((await world.api('GET', next, { token: one.token })).body).toMatchObject([{ name: 'w0' }]);
  });

  test('cannot hold what no store can: NUL, half a character, a prototype', async () => {
    expect((await create({ name: 'a\0b', steps })).status).toBe(422);
    expect((await create({ name: '\ud800', steps })).status).toBe(422);
    const { status } = await world.api('POST', path, {
      token: user.token,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.parse('{"name":"x","steps":[{"a":{"set":{"__proto__":1}}}]}'),
    });
    expect(status).toBe(400);
  });
});
