import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
let other: TestUser;
const base = '/api/neosyntis/secrets';

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator', { runsCode: true });
  other = await world.newUser('operator', { runsCode: true });
});
afterAll(() => world.close());

const unique = (prefix = 's') => `${prefix}_${randomBytes(5).toString('hex')}`;
const call = (who: TestUser, method: string, path: string, body?: unknown, headers = {}) =>
  world.api(method, path, { token: who.token, headers, ...(body === undefined ? {} : { body }) });

async function newSecret(who: TestUser, value: unknown, more: object = {}): Promise<string> {
  const name = unique();
  const answer = await call(who, 'POST', base, { name, value, ...more });
  expect(answer.status).toBe(201);
  return name;
}

describe('A secret', () => {
  test('is made, read about, changed and deleted by its owner, and its value never comes back', async () => {
    const name = unique();
    const made = await call(user, 'POST', base, { name, value: 'the first value' });
    expect(made).toMatchObject({ status: 201, headers: { location: `${base}/${name}` } });
    const time = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(made.body).toEqual({ name, own: true, shared: false, created_at: time, updated_at: time });
    const read = await call(user, 'GET', `${base}/${name}`);
    expect(read.body).toEqual(made.body);
    const changed = await call(
      user,
      'PUT',
      `${base}/${name}`,
      { ...read.body, value: { key: 'the second' } },
      { 'If-Match': String(read.headers.etag) },
    );
    expect(changed.status).toBe(200);
    expect(changed.body.updated_at >= made.body.updated_at).toBe(true);
    const list = await call(user, 'GET', base);
    expect(list.body).toContainEqual(changed.body);
    for (const { text } of [made, read, changed, list]) expect(text).not.toMatch(/first value|the second/);
    expect(await call(user, 'DELETE', `${base}/${name}`)).toMatchObject({ status: 204 });
    expect(await call(user, 'GET', `${base}/${name}`)).toMatchObject({ status: 404 });
  });

  test('that exists is not made a second time, and one that does not is made by PUT with a value', async () => {
    const name = unique();
    expect(await call(user, 'PUT', `${base}/${name}`, {})).toMatchObject({
      status: 422,
      body: { errors: [{ path: '/value' }] },
    });
    expect(await call(user, 'PUT', `${base}/${name}`, { value: 7 })).toMatchObject({ status: 201 });
    expect(await call(user, 'POST', base, { name, value: 'again' })).toMatchObject({ status: 409 });
    expect(await call(user, 'PUT', `${base}/${name}`, { name: 'other' })).toMatchObject({
      status: 422,
      body: { errors: [{ path: '/name' }] },
    });
    const stale = await call(user, 'PUT', `${base}/${name}`, { value: 'x' }, { 'If-Match': '"old"' });
    expect(stale.status).toBe(412);
  });

  test.each<[string, unknown, unknown]>([
    ['a list', 'listed', ['a']],
    ['null', 'nothing', null],
    ['more than 64 KiB', 'large', 'x'.repeat(64 * 1024)],
    ['a name that begins with a digit', '1st', 'x'],
    ['a name with a dot', 'a.b', 'x'],
    ['a name of 64 characters', 'n'.repeat(64), 'x'],
  ])('is refused with %s', async (_what, name, value) => {
    const answer = await call(user, 'POST', base, { name, value });
    expect(answer.status).toBe(422);
  });

  test('of somebody else is not there, and both may use the same name', async () => {
    const name = await newSecret(user, 'mine alone');
    for (const method of ['GET', 'DELETE'])
      expect((await call(other, method, `${base}/${name}`)).status).toBe(404);
    expect((await call(other, 'GET', base)).body).not.toContainEqual(expect.objectContaining({ name }));
    expect((await call(other, 'PUT', `${base}/${name}`, { value: 'theirs' })).status).toBe(201);
    expect((await call(world.admin, 'GET', `${base}/${name}`)).status).toBe(404);
  });

  test('is shared by administrators only, and an own one of the same name wins', async () => {
    expect(await call(user, 'POST', base, { name: unique(), value: 'x', shared: true })).toMatchObject({
      status: 403,
    });
    const name = await newSecret(world.admin, 'from the administrator', { shared: true });
    expect((await call(user, 'GET', `${base}/${name}`)).body).toMatchObject({ own: false, shared: true });
    expect((await call(user, 'DELETE', `${base}/${name}`)).status).toBe(404);
    expect(await lengthOf(user, name)).toBe('22\n');
    expect((await call(user, 'PUT', `${base}/${name}`, { value: 'mine' })).status).toBe(201);
    expect((await call(user, 'GET', `${base}/${name}`)).body).toMatchObject({ own: true, shared: false });
    expect(await lengthOf(user, name)).toBe('4\n');
    expect(await lengthOf(other, name)).toBe('22\n');
    await call(world.admin, 'PUT', `${base}/${name}`, { shared: false });
    expect((await call(other, 'GET', `${base}/${name}`)).status).toBe(404);
  });

  test('is audited without its value', async () => {
    const name = unique();
    await call(user, 'POST', base, { name, value: 'audited value' });
    await call(user, 'PUT', `${base}/${name}`, { value: 'audited value 2' });
    await call(user, 'DELETE', `${base}/${name}`);
    const { body, text } = await call(world.admin, 'GET', `/api/audit?actor=${user.username}&limit=3`);
    expect(body.map((line: { action: string }) => line.action)).toEqual([
      `DELETE ${base}/{name}`,
      `PUT ${base}/{name}`,
      `POST ${base}`,
    ]);
    expect(text).not.toContain('audited value');
  });

  test('in a body that is not JSON is not quoted back', async () => {
    const answer = await fetch(`${world.url}${base}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${user.token}`, 'content-type': 'application/json' },
      body: '{"name": "a", "value": "do-not-quote" x}',
    });
    expect(answer.status).toBe(400);
    expect(await answer.text()).not.toContain('quote"');
  });
});

/** How many characters a shell finds in a secret: something that masking leaves alone. */
async function lengthOf(who: TestUser, name: string): Promise<unknown> {
  const run = await world.run(who, [
    {
      count: { run: { shell: { command: 'echo $' + '{#S}', environment: { S: `\${ $secrets.${name} }` } } } },
    },
  ]);
  expect(run.error).toBeNull();
  return run.output;
}
