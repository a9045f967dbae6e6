import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expireOutbox, listUndelivered } from '../../db/system/outbox.ts';
import { createEnvelope } from '../../drivers/secrets/envelope.ts';
import { watchPace } from '../support/pace.ts';
import { type Installation, PASSWORD, startInstallation } from './installation.ts';

let vareon: Installation;
beforeAll(async () => {
  vareon = await startInstallation();
});
afterAll(async () => vareon[Symbol.asyncDispose]());

const verify = (token: string, options = {}) =>
  vareon.api('POST', '/api/verify-email', { body: { token }, ...options });
const reset = (email: string, from = '127.0.0.40') =>
  vareon.api('POST', '/api/password-reset', { body: { email }, from });
const confirm = (token: string, password: string) =>
  vareon.api('POST', '/api/password-reset/confirm', { body: { token, password } });
const expireTokens = (email: string) =>
  vareon.sql(
    'update email_tokens set expires_at = now() where user_id = (select id from users where email = ?)',
    [email],
  );

async function unverified(username: string) {
  const email = `${username}@example.org`;
  const body = { username, email, password: PASSWORD };
  expect((await vareon.api('POST', '/api/register', { token: vareon.adminToken, body })).status).toBe(201);
  return { username, email, token: await vareon.mailedToken(email) };
}

describe('a verification token', () => {
  test('is good once', async () => {
    const { token, username } = await unverified('once');
    expect((await verify(token)).body).toEqual({ verified: true });
    const again = await verify(token);
    expect([again.status, again.body.errors[0].path]).toEqual([422, '/token']);
    const { access_token } = await vareon.logIn(username);
    expect((await vareon.api('GET', '/api/users/me', { token: access_token })).body.is_verified).toBe(true);
  });

  test('expires, and is void once there is a newer one', async () => {
    const late = await unverified('late');
    await expireTokens(late.email);
    expect((await verify(late.token)).status).toBe(422);
    const old = await unverified('older');
    const { access_token } = await vareon.logIn('older');
    const body = { email: 'newer@example.org' };
    await vareon.api('PUT', '/api/users/me', { token: access_token, body });
    expect((await verify(old.token)).status).toBe(422);
    expect((await verify(await vareon.mailedToken('newer@example.org'))).status).toBe(200);
  });

  test('comes with a link to a page whose button posts it, which runs nothing else', async () => {
    const { token } = await unverified('paged');
    const page = await vareon.api('GET', `/api/verify-email?token=${token}`);
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.headers['content-security-policy']).toMatch(/default-src 'none'.*form-action 'self'/);
    expect(page.text).toContain(
      `<form method="post" action="/api/verify-email"><input type="hidden" name="token" value="${token}">`,
    );
    expect((await vareon.api('GET', '/api/verify-email?token="><script>alert(1)')).status).toBe(422);
    const posted = await vareon.api('POST', '/api/verify-email', {
      form: { token },
      headers: { accept: 'text/html' },
    });
    expect([posted.status, posted.text]).toEqual([200, expect.stringContaining('address is verified')]);
  });

  test('can be guessed 30 times in 15 minutes from one address', async () => {
    const guess = async () => (await verify('A'.repeat(22), { from: '127.0.0.41' })).status;
    const statuses = await Promise.all(Array.from({ length: 31 }, guess));
    expect(statuses.filter((status) => status === 429)).toHaveLength(1);
  });
});

describe('a password reset', () => {
  test('does not fill a mailbox, whoever asks from wherever, and answers as always', async () => {
    const { email } = await vareon.newUser();
    const ask = (index: number) => reset(email, `127.0.1.${index}`);
    const answers = await Promise.all(Array.from({ length: 12 }, (_, index) => ask(index + 1)));
    expect(answers.map(({ status }) => status)).toEqual(Array(12).fill(202));
    const mails = await vareon.sql(
      'select 1 from outbox_mails where kind = \'password_reset\' and "to" = ?',
      [email],
    );
    expect(mails).toHaveLength(5);
  });

  test('is answered the same, after the same time, for known, unknown and deactivated addresses', async () => {
    const [known, inactive] = [await vareon.newUser(), await vareon.newUser()];
    await vareon.api('PUT', `/api/users/${inactive.id}`, {
      token: vareon.adminToken,
      body: { is_active: false },
    });
    const pace = watchPace(vareon.url);
    const timed = async (email: string) => {
      const startedAt = performance.now();
      const { status, text } = await reset(email);
      return { status, text, ms: performance.now() - startedAt };
    };
    const answers = [
      await timed(known.email),
      await timed('nobody@example.org'),
      await timed(inactive.email),
    ];
    await pace.end();
    for (const { status, text, ms } of answers) {
      expect([status, text]).toEqual([202, answers[0]?.text]);
      expect(ms).toBeGreaterThanOrEqual(240);
      expect(ms).toBeLessThan(pace.limit(1_000));
    }
    expect(await vareon.sql('select 1 from outbox_mails where "to" = \'nobody@example.org\'')).toEqual([]);
  });

  test('sets the password once and ends every session', async () => {
    const user = await vareon.newUser();
    await reset(user.email);
    const token = await vareon.mailedToken(user.email);
    expect((await confirm(token, 'password')).body.errors[0].path).toBe('/password');
    expect((await confirm(token, 'the tide comes in')).status).toBe(204);
    expect((await confirm(token, 'the tide goes out')).status).toBe(422);
    expect((await vareon.api('GET', '/api/users/me', { token: user.token })).status).toBe(401);
    const body = { refresh_token: user.refreshToken };
    expect((await vareon.api('POST', '/api/token/refresh', { body })).status).toBe(401);
    await vareon.logIn(user.username, 'the tide comes in');
  });

  test('voids the mail before it, expires, and its token verifies nothing', async () => {
    const user = await vareon.newUser();
    await reset(user.email);
    const first = await vareon.mailedToken(user.email);
    await reset(user.email);
    const second = await vareon.mailedToken(user.email);
    expect(second).not.toBe(first);
    expect((await confirm(first, 'the tide comes in')).status).toBe(422);
    expect((await verify(second)).status).toBe(422);
    await expireTokens(user.email);
    expect((await confirm(second, 'the tide comes in')).status).toBe(422);
  });

  test('is mailed to an old address in vain once there is a new one', async () => {
    const user = await vareon.newUser();
    await reset(user.email);
    const token = await vareon.mailedToken(user.email);
    await vareon.api('PUT', '/api/users/me', { token: user.token, body: { email: `moved-${user.email}` } });
    expect((await confirm(token, 'the tide comes in')).status).toBe(422);
  });

  test('can be asked for ten times in 15 minutes from one address', async () => {
    const statuses = await Promise.all(
      Array.from({ length: 11 }, async () => (await reset('nobody@example.org', '127.0.0.42')).status),
    );
    expect(statuses.filter((status) => status === 429)).toHaveLength(1);
  });
});

describe('the outbox', () => {
  const mailTo = async (email: string) =>
    (await vareon.api('GET', '/api/outbox', { token: vareon.adminToken })).body.find(
      (mail: { to: string }) => mail.to === email,
    );
  const open = (id: string) => vareon.api('GET', `/api/outbox/${id}`, { token: vareon.adminToken });

  test('lists mails without their texts, starts each delivery and audits who reads one', async () => {
    const { email } = await unverified('listed');
    const mail = await mailTo(email);
    expect(mail).toEqual({
      id: expect.any(String),
      to: email,
      subject: 'Confirm your e-mail address',
      kind: 'verify_email',
      state: 'queued',
      attempts: 0,
      last_error: null,
      expires_at: expect.any(String),
      created_at: expect.any(String),
      delivered_at: null,
    });
    expect(vareon.startedMails).toContain(mail.id);
    expect((await open(mail.id)).body.text).toMatch(
      /http:\/\/vareon\.test\/api\/verify-email\?token=[\w-]{22}/,
    );
    const lines = await vareon.sql('select actor from audit_log where resource = ?', [
      `/api/outbox/${mail.id}`,
    ]);
    expect(lines.at(-1)).toEqual({ actor: 'admin' });
  });

  test('keeps no token that a dump of the database would show', async () => {
    const { token, email } = await unverified('canary');
    await reset(email);
    const secrets = [token, await vareon.mailedToken(email)];
    const tables = await vareon.sql<{ name: string }>(
      "select quote_ident(table_name) as name from information_schema.tables where table_schema = 'public'",
    );
    expect(tables.length).toBeGreaterThan(8);
    for (const { name } of tables)
      for (const { line } of await vareon.sql<{ line: string }>(`select t::text as line from ${name} t`))
        for (const secret of secrets) {
          expect(line).not.toContain(secret);
          expect(line).not.toContain(Buffer.from(secret).toString('hex'));
        }
  });

  test('forgets texts once mails expire, and then does not deliver them', async () => {
    const { email } = await unverified('expiring');
    const { id } = await mailTo(email);
    expect((await listUndelivered(vareon.database)).map(({ mailId }) => mailId)).toContain(id);
    await vareon.sql('update outbox_mails set expires_at = now() where id = ?', [id]);
    expect((await open(id)).body.text).toBeNull();
    await expireOutbox(vareon.database, new Date());
    expect((await open(id)).body).toMatchObject({ state: 'expired', text: null });
    expect(await vareon.sql('select 1 from outbox_mails where id = ? and sealed is null', [id])).toHaveLength(
      1,
    );
    expect((await listUndelivered(vareon.database)).map(({ mailId }) => mailId)).not.toContain(id);
  });
});

describe('an envelope', () => {
  const [key, older, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2), Buffer.alloc(32, 3)];

  test('opens with the key it was sealed with, also after a newer one came', () => {
    const sealed = createEnvelope([older]).seal('secret', 'row/1');
    expect(createEnvelope([key, older]).open(sealed, 'row/1')).toBe('secret');
    expect(() => createEnvelope([other]).open(sealed, 'row/1')).toThrow(
      /sealed with key [0-9a-f]{16}, which is not here/,
    );
  });

  test('does not open when any byte of it or its place is another', () => {
    const envelope = createEnvelope([key]);
    const sealed = envelope.seal('secret', 'row/1');
    expect(() => envelope.open(sealed, 'row/2')).toThrow();
    for (let i = 0; i < sealed.length; i++) {
      const changed = Buffer.from(sealed);
      changed[i] = (changed[i] ?? 0) ^ 1;
      expect(() => envelope.open(changed, 'row/1')).toThrow();
    }
    expect(() => envelope.open(sealed.subarray(0, 20), 'row/1')).toThrow();
  });
});
