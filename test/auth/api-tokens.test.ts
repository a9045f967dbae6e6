import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/client.ts';
import { untilWithin } from '../support/pace.ts';
import { type Installation, startInstallation } from './installation.ts';

let vareon: Installation;
beforeAll(async () => {
  vareon = await startInstallation();
});
afterAll(async () => vareon[Symbol.asyncDispose]());

const READ = 'neosyntis:workflows:read';
const WRITE = 'neosyntis:workflows:write';

async function newToken(token: string, body: object = {}) {
  const answer = await vareon.api('POST', '/api/api-tokens', {
    token,
    body: { name: 'ci', permissions: [READ], ...body },
  });
  return { ...answer, id: answer.body.id as string, secret: answer.body.token as string };
}
const permissionsOf = async (secret: string) =>
  [...(await vareon.authenticator.authenticate(`Bearer ${secret}`)).permissions].sort();
const me = async (token: string, api = vareon.api) => (await api('GET', '/api/users/me', { token })).status;

describe('API tokens', () => {
  test('show their secret once, and are kept hashed', async () => {
    const user = await vareon.newUser('operator');
    const made = await newToken(user.token, { permissions: [READ, WRITE] });
    expect(made.status).toBe(201);
    expect(made.secret).toMatch(/^vrn_[0-9a-f]{32}_[\w-]{43}$/);
    expect(await me(made.secret)).toBe(200);
    expect(await permissionsOf(made.secret)).toEqual([READ, WRITE]);
    const { token: _, ...shown } = made.body;
    const listed = await vareon.api('GET', '/api/api-tokens', { token: user.token });
    expect(listed.body).toEqual([{ ...shown, last_used_at: expect.any(String) }]);
    expect((await vareon.api('GET', `/api/api-tokens/${made.id}`, { token: user.token })).body).toEqual(
      listed.body[0],
    );
    const [row] = await vareon.sql<{ line: string }>(
      'select t::text as line from api_tokens t where id = ?',
      [made.id],
    );
    expect(row?.line).not.toContain(made.secret.slice(-43));
  });

  test('cannot have more than their maker: 422 names what is too much', async () => {
    const user = await vareon.newUser('viewer');
    const { status, body } = await newToken(user.token, { permissions: [READ, WRITE, 'system:users:write'] });
    expect([status, body.errors.map(({ path }: { path: string }) => path)]).toEqual([
      422,
      ['/permissions/1', '/permissions/2'],
    ]);
    expect(body.detail).toContain(WRITE);
  });

  test('lose what their owner loses, and get it back with them', async () => {
    const user = await vareon.newUser('operator');
    const { secret } = await newToken(user.token, { permissions: [READ, WRITE] });
    const put = (body: object) =>
      vareon.api('PUT', `/api/users/${user.id}`, { token: vareon.adminToken, body });
    await put({ role: 'viewer' });
    expect(await permissionsOf(secret)).toEqual([READ]);
    await put({ role: 'operator' });
    expect(await permissionsOf(secret)).toEqual([READ, WRITE]);
    await put({ is_active: false });
    expect(await me(secret)).toBe(401);
    await untilWithin(
      1_000,
      vareon.url,
      () => me(secret, vareon.replica),
      (status) => status === 401,
    );
  });

  test('cannot do what decides over the account', async () => {
    const admin = await vareon.newUser('admin');
    const { secret } = await newToken(admin.token, {
      permissions: ['system:users:read', 'system:users:write', 'system:mail:read'],
    });
    const { body: mails } = await vareon.api('GET', '/api/outbox', { token: secret });
    const tried: [string, string, object?][] = [
      ['POST', '/api/api-tokens', { name: 'x', permissions: ['system:users:read'] }],
      ['POST', '/api/users/me/password', { old_password: 'x', new_password: 'y' }],
      ['PUT', '/api/users/me', { email: 'x@example.org' }],
      ['PUT', `/api/users/${admin.id}`, { email: 'x@example.org' }],
      ['DELETE', `/api/users/${admin.id}`],
      ['POST', '/api/logout'],
      ['GET', `/api/outbox/${mails[0].id}`],
    ];
    for (const [method, path, body] of tried) {
      const answer = await vareon.api(method, path, { token: secret, ...(body ? { body } : {}) });
      expect([path, answer.status, answer.body.code]).toEqual([path, 403, 'forbidden']);
    }
  });

  test('expire, and only in the future', async () => {
    const user = await vareon.newUser();
    const past = await newToken(user.token, { expires_at: '2020-01-01T00:00:00Z' });
    expect([past.status, past.body.errors[0].path]).toEqual([422, '/expires_at']);
    // On a slow machine it is over before the request is there: then another one.
    const soon = await until(
      async () => {
        const { secret } = await newToken(user.token, {
          expires_at: new Date(Date.now() + 2_000).toISOString(),
        });
        return { secret, status: await me(secret) };
      },
      ({ status }) => status === 200,
      60_000,
    );
    await until(
      () => me(soon.secret),
      (status) => status === 401,
      60_000,
    );
  });

  test('end when they are deleted: at once here, within a second elsewhere', async () => {
    const user = await vareon.newUser();
    const { id, secret } = await newToken(user.token);
    expect([await me(secret), await me(secret, vareon.replica)]).toEqual([200, 200]);
    expect((await vareon.api('DELETE', `/api/api-tokens/${id}`, { token: user.token })).status).toBe(204);
    expect(await me(secret)).toBe(401);
    await untilWithin(
      1_000,
      vareon.url,
      () => me(secret, vareon.replica),
      (status) => status === 401,
    );
    expect((await vareon.api('DELETE', `/api/api-tokens/${id}`, { token: user.token })).status).toBe(404);
  });

  test('of others are not there, but for administrators', async () => {
    const [user, other] = [await vareon.newUser(), await vareon.newUser()];
    const { id } = await newToken(user.token);
    for (const method of ['GET', 'DELETE'])
      expect((await vareon.api(method, `/api/api-tokens/${id}`, { token: other.token })).status).toBe(404);
    const list = (token: string) => vareon.api('GET', `/api/api-tokens?user_id=${user.id}`, { token });
    expect((await list(other.token)).body).toEqual([]);
    expect((await list(vareon.adminToken)).body).toHaveLength(1);
    expect((await vareon.api('DELETE', `/api/api-tokens/${id}`, { token: vareon.adminToken })).status).toBe(
      204,
    );
  });

  test('can delete themselves and no others', async () => {
    const user = await vareon.newUser();
    const [one, two] = [await newToken(user.token), await newToken(user.token)];
    expect((await vareon.api('DELETE', `/api/api-tokens/${two.id}`, { token: one.secret })).status).toBe(403);
    expect((await vareon.api('DELETE', `/api/api-tokens/${one.id}`, { token: one.secret })).status).toBe(204);
  });

  test('with another secret, or of another shape, are refused', async () => {
    const { secret } = await newToken((await vareon.newUser()).token);
    const flipped = `${secret.slice(0, -43)}${'A'.repeat(43)}`;
    for (const token of [
      flipped,
      secret.slice(0, -1),
      `${secret}A`,
      'vrn_',
      `vrn_${'0'.repeat(32)}_${'A'.repeat(43)}`,
    ])
      expect([token, await me(token)]).toEqual([token, 401]);
    const basic = await vareon.api('GET', '/api/users/me', { headers: { authorization: 'Basic YTpi' } });
    expect(basic.status).toBe(401);
  });

  test('note their last use at most once a minute', async () => {
    const user = await vareon.newUser();
    const { id, secret } = await newToken(user.token);
    const lastUse = async () => {
      const used =
        'select (extract(epoch from last_used_at) * 1000)::float8 as ms from api_tokens where id = ?';
      return (await vareon.sql<{ ms: number | null }>(used, [id]))[0]?.ms;
    };
    expect(await lastUse()).toBeNull();
    await me(secret);
    const first = await lastUse();
    expect(first).not.toBeNull();
    await me(secret, vareon.replica);
    vareon.authenticator.forget();
    await me(secret);
    expect(await lastUse()).toBe(first);
    await vareon.sql("update api_tokens set last_used_at = now() - interval '2 minutes' where id = ?", [id]);
    vareon.authenticator.forget();
    await me(secret);
    expect(await lastUse()).toBeGreaterThan(Date.now() - 60_000);
  });
});

describe('WebSocket tickets', () => {
  const issue = async (token: string) => (await vareon.api('POST', '/api/ws-ticket', { token })).body;

  test('stand for who asked, once, on every replica', async () => {
    const user = await vareon.newUser('operator');
    const { ticket, expires_in } = await issue(user.token);
    expect(expires_in).toBe(30);
    const all = await Promise.allSettled(
      Array.from({ length: 5 }, () => vareon.authenticator.consumeTicket(ticket)),
    );
    const won = all.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(won).toEqual([await vareon.authenticator.authenticate(`Bearer ${user.token}`)]);
    await expect(vareon.authenticator.consumeTicket(ticket)).rejects.toMatchObject({
      code: 'unauthenticated',
    });
  });

  test('keep the API token that asked, with no more than it may do', async () => {
    const user = await vareon.newUser('operator');
    const { id, secret } = await newToken(user.token);
    const principal = await vareon.authenticator.consumeTicket((await issue(secret)).ticket);
    expect(principal).toMatchObject({
      credential: { kind: 'api_token', tokenId: id },
      permissions: new Set([READ]),
    });
  });

  test('expire after 30 seconds', async () => {
    const { ticket } = await issue((await vareon.newUser()).token);
    const [row] = await vareon.sql<{ seconds: number }>(
      "update ws_tickets set expires_at = expires_at - interval '30 seconds' returning extract(epoch from expires_at - now())::float8 as seconds",
    );
    expect(row?.seconds).toBeLessThanOrEqual(0);
    await expect(vareon.authenticator.consumeTicket(ticket)).rejects.toMatchObject({
      code: 'unauthenticated',
    });
  });

  test('end with the session that asked', async () => {
    const user = await vareon.newUser();
    const { ticket } = await issue(user.token);
    await vareon.api('POST', '/api/logout', { token: user.token });
    await expect(vareon.authenticator.consumeTicket(ticket)).rejects.toMatchObject({
      code: 'unauthenticated',
    });
  });
});

describe('an open connection', () => {
  const principal = (token: string) => vareon.authenticator.authenticate(`Bearer ${token}`);
  const change = (id: string, body: object) =>
    vareon.api('PUT', `/api/users/${id}`, { token: vareon.adminToken, body });

  test('may stay while its credential counts, also when its user gets more', async () => {
    const user = await vareon.newUser('viewer');
    const opened = await principal(user.token);
    await change(user.id, { role: 'operator' });
    expect(await vareon.authenticator.isValid(opened)).toBe(true);
  });

  test('may not stay after a demotion, a logout or the end of an API token', async () => {
    const [demoted, gone, owner] = [
      await vareon.newUser('operator'),
      await vareon.newUser(),
      await vareon.newUser(),
    ];
    const { id, secret } = await newToken(owner.token);
    const opened = [await principal(demoted.token), await principal(gone.token), await principal(secret)];
    await change(demoted.id, { role: 'viewer' });
    await vareon.api('POST', '/api/logout', { token: gone.token });
    await vareon.api('DELETE', `/api/api-tokens/${id}`, { token: owner.token });
    for (const each of opened) expect(await vareon.authenticator.isValid(each)).toBe(false);
  });
});
