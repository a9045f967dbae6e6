import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pruneAuth } from '../../db/auth/prune.ts';
import type { Client } from '../support/client.ts';
import { untilWithin } from '../support/pace.ts';
import { type Installation, PASSWORD, startInstallation, type TestUser } from './installation.ts';

let vareon: Installation;
beforeAll(async () => {
  vareon = await startInstallation();
});
afterAll(async () => vareon[Symbol.asyncDispose]());

const me = async (api: Client, token: string) => (await api('GET', '/api/users/me', { token })).status;
const refresh = (refresh_token: string, api = vareon.api) =>
  api('POST', '/api/token/refresh', { body: { refresh_token } });

describe('refresh tokens', () => {
  test('are good for one use, and each use gives the next', async () => {
    const { refreshToken } = await vareon.newUser();
    const first = await refresh(refreshToken);
    expect(first.status).toBe(200);
    const second = await refresh(first.body.refresh_token);
    expect(second.status).toBe(200);
    expect(await me(vareon.api, second.body.access_token)).toBe(200);
  });

  test('end the whole session when a used one comes again', async () => {
    const { username, refreshToken } = await vareon.newUser();
    const other = await vareon.logIn(username);
    const next = (await refresh(refreshToken)).body;
    expect(await me(vareon.api, next.access_token)).toBe(200);
    expect((await refresh(refreshToken)).status).toBe(401);
    expect(await me(vareon.api, next.access_token)).toBe(401);
    expect((await refresh(next.refresh_token)).status).toBe(401);
    expect(await me(vareon.api, other.access_token)).toBe(200);
  });

  test('have one winner when many bring the same at once', async () => {
    const { refreshToken } = await vareon.newUser();
    const all = await Promise.all(
      Array.from({ length: 10 }, (_, i) => refresh(refreshToken, i % 2 ? vareon.api : vareon.replica)),
    );
    expect(all.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1);
    const [row] = await vareon.sql<{ issued: number }>(
      `select count(*)::int as issued from refresh_tokens where session_id =
         (select session_id from refresh_tokens where hash = sha256(?::text::bytea))`,
      [refreshToken],
    );
    expect(row?.issued).toBe(2);
  });

  test('are nowhere in the database', async () => {
    const { refreshToken } = await vareon.newUser();
    const found = await vareon.sql(
      "select 1 from refresh_tokens r where r::text like ? or encode(hash, 'base64') like ?",
      [`%${refreshToken}%`, `%${refreshToken}%`],
    );
    expect(found).toEqual([]);
  });

  test('do not count after 30 days without use, nor after the account was deactivated', async () => {
    const idle = await vareon.newUser();
    await vareon.sql("update sessions set last_used_at = now() - interval '31 days' where user_id = ?", [
      idle.id,
    ]);
    expect((await refresh(idle.refreshToken)).status).toBe(401);
    await pruneAuth(vareon.database);
    expect(await vareon.sql('select 1 from sessions where user_id = ?', [idle.id])).toEqual([]);
    const inactive = await vareon.newUser();
    await vareon.api('PUT', `/api/users/${inactive.id}`, {
      token: vareon.adminToken,
      body: { is_active: false },
    });
    expect((await refresh(inactive.refreshToken)).status).toBe(401);
  });
});

describe('a revocation', () => {
  const change = (user: TestUser, body: object) =>
    vareon.api('PUT', `/api/users/${user.id}`, { token: vareon.adminToken, body });
  const ways: Record<string, (user: TestUser) => Promise<{ status: number }>> = {
    'logging out': (user) => vareon.api('POST', '/api/logout', { token: user.token }),
    'a new password': (user) =>
      vareon.api('POST', '/api/users/me/password', {
        token: user.token,
        body: { old_password: PASSWORD, new_password: 'another walk to the sea' },
      }),
    'a new role': (user) => change(user, { role: 'operator' }),
    'a new grant': (user) => change(user, { granted_permissions: ['neosyntis:workflows:execute_code'] }),
    deactivation: (user) => change(user, { is_active: false }),
    deletion: (user) => vareon.api('DELETE', `/api/users/${user.id}`, { token: vareon.adminToken }),
    'reuse of a refresh token': async (user) => {
      await refresh(user.refreshToken);
      await refresh(user.refreshToken);
      return { status: 200 };
    },
  };

  test.each(Object.entries(ways))(
    'by %s bites at once here, and within a second elsewhere',
    async (_, revoke) => {
      const user = await vareon.newUser();
      expect(await me(vareon.api, user.token)).toBe(200);
      expect(await me(vareon.replica, user.token)).toBe(200);
      expect((await revoke(user)).status).toBeLessThan(300);
      expect(await me(vareon.api, user.token)).toBe(401);
      await untilWithin(
        1_000,
        vareon.url,
        () => me(vareon.replica, user.token),
        (status) => status === 401,
      );
    },
  );
});

describe('logging out', () => {
  test('ends this session and that of the refresh token sent along, and no other', async () => {
    const user = await vareon.newUser();
    const [second, third] = [await vareon.logIn(user.username), await vareon.logIn(user.username)];
    const body = { refresh_token: second.refresh_token };
    expect((await vareon.api('POST', '/api/logout', { token: user.token, body })).status).toBe(204);
    expect(await me(vareon.api, user.token)).toBe(401);
    expect(await me(vareon.api, second.access_token)).toBe(401);
    expect(await me(vareon.api, third.access_token)).toBe(200);
  });

  test("does not end another user's session", async () => {
    const [user, other] = [await vareon.newUser(), await vareon.newUser()];
    await vareon.api('POST', '/api/logout', {
      token: user.token,
      body: { refresh_token: other.refreshToken },
    });
    expect(await me(vareon.api, other.token)).toBe(200);
  });
});

describe('a new password', () => {
  const set = (token: string, old_password: string, new_password: string) =>
    vareon.api('POST', '/api/users/me/password', { token, body: { old_password, new_password } });

  test('needs the old one', async () => {
    const { token } = await vareon.newUser();
    const { status, body } = await set(token, 'not the old one', 'another walk to the sea');
    expect([status, body.errors[0].path]).toEqual([422, '/old_password']);
  });

  test('must be neither short, long, common nor a name of the account', async () => {
    const user = await vareon.newUser();
    const { username, email } = user;
    const bad = ['short 7', 'x'.repeat(257), 'Password123', 'qwertyuiop', username.toUpperCase(), email];
    for (const password of bad) {
      const { status, body } = await set(user.token, PASSWORD, password);
      expect([password, status, body.errors?.[0].path]).toEqual([password, 422, '/new_password']);
    }
  });

  test('counts as the same however its characters were composed', async () => {
    const { username, token } = await vareon.newUser();
    expect((await set(token, PASSWORD, 'ﬁne café au lait')).status).toBe(204);
    expect((await vareon.logIn(username, 'fine cafe\u0301 au lait')).access_token).toBeTruthy();
    const { access_token } = await vareon.logIn(username, 'ﬁne café au lait');
    expect((await set(access_token, 'fine café au lait', '🦉'.repeat(8))).status).toBe(204);
    await vareon.logIn(username, '🦉'.repeat(8));
  });
});
