import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { seedAdministrator } from '../../api/auth/seed.ts';
import { ADMIN_PASSWORD, type Installation, PASSWORD, startInstallation } from './installation.ts';

let vareon: Installation;
/** What the users of these tests own in other modules, by user id. */
const owned = new Map<string, number>();

beforeAll(async () => {
  vareon = await startInstallation({
    ownership: {
      ownedBy: async (_, userId) => owned.get(userId) ?? 0,
      reassign: async (_, from, to) => {
        owned.set(to, (owned.get(to) ?? 0) + (owned.get(from) ?? 0));
        owned.delete(from);
      },
    },
  });
});
afterAll(async () => vareon[Symbol.asyncDispose]());

const put = (path: string, token: string, body: object, headers = {}) =>
  vareon.api('PUT', path, { token, body, headers });
const newAccount = (username: string) => ({ username, email: `${username}@example.org`, password: PASSWORD });

describe('registering', () => {
  test('is refused to everybody but administrators where it is off', async () => {
    const operator = await vareon.newUser('operator');
    for (const token of [undefined, operator.token]) {
      const { status, body } = await vareon.api('POST', '/api/register', {
        ...(token ? { token } : {}),
        body: newAccount('mallory'),
      });
      expect([status, body.code]).toEqual([403, 'forbidden']);
      expect(body.detail).toMatch(/Registration is off/);
    }
  });

  test('makes an unverified viewer', async () => {
    const { status, body, headers } = await vareon.api('POST', '/api/register', {
      token: vareon.adminToken,
      body: newAccount('grace'),
    });
    expect(status).toBe(201);
    expect(headers.location).toBe(`/api/users/${body.id}`);
    expect(body).toEqual({
      id: expect.any(String),
      username: 'grace',
      email: 'grace@example.org',
      role: 'viewer',
      is_active: true,
      is_verified: false,
      granted_permissions: [],
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    });
  });

  test('refuses names and addresses that are taken in any case, and what is none', async () => {
    const user = await vareon.newUser();
    const register = async (change: object) => {
      const body = { ...newAccount('unique-name'), ...change };
      return (await vareon.api('POST', '/api/register', { token: vareon.adminToken, body })).status;
    };
    expect(await register({ username: user.username.toUpperCase() })).toBe(409);
    expect(await register({ email: user.email.toUpperCase() })).toBe(409);
    expect(await register({ email: 'a@b.c\r\nBcc: all@example.org' })).toBe(422);
    expect(await register({ email: 'a@b.c, d@e.f' })).toBe(422);
    expect(await register({ username: 'a b' })).toBe(422);
    expect(await register({ password: 'password' })).toBe(422);
    expect(await register({ password: 'x'.repeat(5000) })).toBe(422);
    expect(await register({ role: 'admin' })).toBe(422);
  });

  test('is open to anybody where it is open, ten times an hour from one address', async () => {
    await using open = await startInstallation({ registration: 'open' });
    const register = (i: number) =>
      open.api('POST', '/api/register', { body: newAccount(`visitor${i}`), from: '127.0.0.30' });
    expect((await register(0)).status).toBe(201);
    const statuses = await Promise.all(
      Array.from({ length: 10 }, async (_, i) => (await register(i + 1)).status),
    );
    expect(statuses.filter((status) => status === 201)).toHaveLength(9);
    expect(statuses.filter((status) => status === 429)).toHaveLength(1);
  });
});

describe('PUT of a user', () => {
  test('changes the fields given, and takes the others when they are as they were', async () => {
    const user = await vareon.newUser();
    const path = `/api/users/${user.id}`;
    const whole = (await vareon.api('GET', path, { token: vareon.adminToken })).body;
    const changed = await put(path, vareon.adminToken, { ...whole, role: 'operator' });
    expect([changed.status, changed.body]).toEqual([200, { ...whole, role: 'operator' }]);
    expect((await put(path, vareon.adminToken, {})).body).toEqual(changed.body);
  });

  test('names each read-only field that would change', async () => {
    const user = await vareon.newUser();
    const { status, body } = await put(`/api/users/${user.id}`, vareon.adminToken, {
      created_at: '2020-01-01T00:00:00.000Z',
      role: 'operator',
    });
    expect([status, body.errors.map(({ path }: { path: string }) => path)]).toEqual([422, ['/created_at']]);
    const me = await put('/api/users/me', user.token, { role: 'admin', is_verified: true });
    expect([me.status, me.body.errors.map(({ path }: { path: string }) => path)]).toEqual([422, ['/role']]);
    expect((await put('/api/users/me', user.token, { password_hash: 'x' })).status).toBe(422);
  });

  test('honours If-Match', async () => {
    const user = await vareon.newUser();
    const path = `/api/users/${user.id}`;
    const { headers } = await vareon.api('GET', path, { token: vareon.adminToken });
    const stale = { 'If-Match': String(headers.etag) };
    const changed = await put(path, vareon.adminToken, { role: 'operator' }, stale);
    expect(changed.status).toBe(200);
    expect(changed.headers.etag).not.toBe(headers.etag);
    expect((await put(path, vareon.adminToken, { role: 'viewer' }, stale)).status).toBe(412);
    const fresh = { 'If-Match': `"other", ${changed.headers.etag}` };
    expect((await put(path, vareon.adminToken, { role: 'viewer' }, fresh)).status).toBe(200);
    expect((await put(path, vareon.adminToken, { role: 'viewer' }, { 'If-Match': '*' })).status).toBe(200);
    const racing = {
      'If-Match': String((await vareon.api('GET', path, { token: vareon.adminToken })).headers.etag),
    };
    const both = await Promise.all(
      [vareon.api, vareon.replica].map((api) =>
        api('PUT', path, { token: vareon.adminToken, body: { role: 'operator' }, headers: racing }),
      ),
    );
    expect(both.map(({ status }) => status).sort()).toEqual([200, 412]);
  });

  test('grants only what can be granted, and to a verified account', async () => {
    const user = await vareon.newUser();
    const path = `/api/users/${user.id}`;
    expect((await put(path, vareon.adminToken, { granted_permissions: ['system:users:write'] })).status).toBe(
      422,
    );
    const granted_permissions = ['neosyntis:workflows:execute_code'];
    expect((await put(path, vareon.adminToken, { granted_permissions })).body.granted_permissions).toEqual(
      granted_permissions,
    );
  });

  test('of oneself with a new address makes it unverified, which takes a role away until it is verified', async () => {
    const user = await vareon.newUser('admin');
    const email = `new-${user.email}`;
    const changed = await put('/api/users/me', user.token, { email });
    expect(changed.body).toMatchObject({ email, is_verified: false, role: 'admin' });
    expect((await vareon.api('GET', '/api/users', { token: user.token })).status).toBe(403);
    const body = { token: await vareon.mailedToken(email) };
    expect((await vareon.api('POST', '/api/verify-email', { body })).body).toEqual({ verified: true });
    expect((await vareon.api('GET', '/api/users', { token: user.token })).status).toBe(200);
  });

  test('by an administrator can set a new address as verified', async () => {
    const user = await vareon.newUser();
    const body = { email: `other-${user.email}`, is_verified: true };
    expect((await put(`/api/users/${user.id}`, vareon.adminToken, body)).body).toMatchObject(body);
  });

  test('is not for viewers, operators or unverified administrators', async () => {
    const target = await vareon.newUser();
    for (const user of [
      await vareon.newUser('viewer'),
      await vareon.newUser('operator'),
      await vareon.newUser('admin', { is_verified: false }),
    ]) {
      expect((await put(`/api/users/${target.id}`, user.token, { role: 'admin' })).status).toBe(403);
      expect((await vareon.api('GET', `/api/users/${target.id}`, { token: user.token })).status).toBe(403);
      expect((await vareon.api('GET', '/api/outbox', { token: user.token })).status).toBe(403);
      expect((await vareon.api('GET', '/api/users/me', { token: user.token })).status).toBe(200);
    }
  });
});

describe('the list of users', () => {
  test('is newest first and pages by Link', async () => {
    const newest = await vareon.newUser();
    const page = await vareon.api('GET', '/api/users?limit=2', { token: vareon.adminToken });
    expect(page.body).toHaveLength(2);
    expect(page.body[0].id).toBe(newest.id);
    const next = /<([^>]+)>; rel="next"/.exec(String(page.headers.link))?.[1] ?? '';
    const rest = await vareon.api('GET', next, { token: vareon.adminToken });
    expect(rest.body[0].id < page.body[1].id).toBe(true);
  });
});

describe('deleting a user', () => {
  test('ends its tokens and sessions', async () => {
    const user = await vareon.newUser();
    expect((await vareon.api('DELETE', `/api/users/${user.id}`, { token: vareon.adminToken })).status).toBe(
      204,
    );
    expect((await vareon.api('GET', `/api/users/${user.id}`, { token: vareon.adminToken })).status).toBe(404);
    const body = { refresh_token: user.refreshToken };
    expect((await vareon.api('POST', '/api/token/refresh', { body })).status).toBe(401);
  });

  test('leaves a replica that has not noticed yet nothing to hand out', async () => {
    const user = await vareon.newUser();
    expect((await vareon.replica('GET', '/api/users/me', { token: user.token })).status).toBe(200);
    await vareon.api('DELETE', `/api/users/${user.id}`, { token: vareon.adminToken });
    const apiToken = { name: 'x', permissions: ['myntrix:jobs:read'] };
    const late = await Promise.all([
      vareon.replica('POST', '/api/ws-ticket', { token: user.token }),
      vareon.replica('POST', '/api/api-tokens', { token: user.token, body: apiToken }),
    ]);
    expect(late.map(({ status }) => status)).toEqual([401, 401]);
  });

  test('that owns things needs an heir', async () => {
    const [user, heir] = [await vareon.newUser(), await vareon.newUser()];
    owned.set(user.id, 3);
    const remove = (query: string) =>
      vareon.api('DELETE', `/api/users/${user.id}${query}`, { token: vareon.adminToken });
    const refused = await remove('');
    expect([refused.status, refused.body.detail]).toEqual([409, expect.stringContaining('owns 3 things')]);
    for (const nobody of [user.id, '01890000-0000-7000-8000-000000000000'])
      expect((await remove(`?reassign_to=${nobody}`)).status).toBe(422);
    expect((await remove(`?reassign_to=${heir.id}`)).status).toBe(204);
    expect(owned.get(heir.id)).toBe(3);
  });
});

describe('the last active administrator', () => {
  test('cannot be deleted, demoted, deactivated or made unverified, even by two who do it to each other', async () => {
    await using lonely = await startInstallation();
    const { body: admin } = await lonely.api('GET', '/api/users/me', { token: lonely.adminToken });
    const change = (id: string, token: string, body: object) =>
      lonely.api('PUT', `/api/users/${id}`, { token, body });
    for (const body of [
      { role: 'viewer' },
      { is_active: false },
      { is_verified: false },
      { email: 'me@example.org' },
    ])
      expect((await change(admin.id, lonely.adminToken, body)).status).toBe(409);
    const own = await lonely.api('PUT', '/api/users/me', {
      token: lonely.adminToken,
      body: { email: 'me@example.org' },
    });
    expect([own.status, own.body.detail]).toEqual([409, expect.stringContaining('is_verified')]);
    expect((await lonely.api('DELETE', `/api/users/${admin.id}`, { token: lonely.adminToken })).status).toBe(
      409,
    );
    const verified = { email: 'me@example.org', is_verified: true };
    expect((await change(admin.id, lonely.adminToken, verified)).status).toBe(200);

    const second = await lonely.newUser('admin');
    const both = await Promise.all([
      change(second.id, lonely.adminToken, { role: 'viewer' }),
      change(admin.id, second.token, { role: 'viewer' }),
    ]);
    // The slower one is refused: as the last one's deed, or because it is no administrator any more.
    expect(both.filter(({ status }) => status === 200)).toHaveLength(1);
    const [row] = await lonely.sql<{ n: number }>(
      "select count(*)::int as n from users where role = 'admin'",
    );
    expect(row?.n).toBe(1);
  });
});

test('the administrator is seeded once', async () => {
  expect(await seedAdministrator(vareon.database, ADMIN_PASSWORD)).toBe(false);
  const { body } = await vareon.api('GET', '/api/users/me', { token: vareon.adminToken });
  expect(body).toMatchObject({
    username: 'admin',
    email: 'admin@localhost',
    role: 'admin',
    is_verified: true,
  });
});
