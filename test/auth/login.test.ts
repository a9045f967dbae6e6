import { createSecretKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt, decodeProtectedHeader, SignJWT, UnsecuredJWT } from 'jose';
import { addressKey } from '../../api/auth/limits.ts';
import { until } from '../support/client.ts';
import { ADMIN_PASSWORD, type Installation, PASSWORD, startInstallation } from './installation.ts';

let vareon: Installation;
beforeAll(async () => {
  vareon = await startInstallation();
});
afterAll(async () => vareon[Symbol.asyncDispose]());

const logIn = (username: string, password: string, from?: string) =>
  vareon.api('POST', '/api/token', { body: { username, password }, ...(from ? { from } : {}) });

const withoutRequestId = ({ request_id: _, ...rest }: { request_id: string }) => rest;

describe('logging in', () => {
  test('takes JSON and forms, and any case of the user name', async () => {
    const json = await logIn('ADMIN', ADMIN_PASSWORD);
    expect(json.status).toBe(200);
    expect(json.body).toEqual({
      access_token: expect.any(String),
      token_type: 'bearer',
      expires_in: 600,
      refresh_token: expect.stringMatching(/^[\w-]{43}$/),
    });
    const form = await vareon.api('POST', '/api/token', {
      form: { username: 'admin', password: ADMIN_PASSWORD, grant_type: 'password' },
    });
    expect(form.status).toBe(200);
  });

  test('answers unknown names, wrong passwords and deactivated accounts with the same words', async () => {
    const [known, inactive] = [await vareon.newUser(), await vareon.newUser()];
    const off = { token: vareon.adminToken, body: { is_active: false } };
    expect((await vareon.api('PUT', `/api/users/${inactive.id}`, off)).status).toBe(200);
    const answers = [
      await logIn('nobody-at-all', 'wrong password'),
      await logIn(known.username, 'wrong password'),
      await logIn(inactive.username, PASSWORD),
    ];
    for (const answer of answers) {
      expect(answer.status).toBe(401);
      expect(withoutRequestId(answer.body)).toEqual(withoutRequestId(answers[0]?.body));
    }
  });

  test('takes as long for an unknown name as for a wrong password', async () => {
    const msOf = async (name: string, from: string) => {
      const startedAt = performance.now();
      await logIn(name, 'wrong password', from);
      return performance.now() - startedAt;
    };
    // The shortest of several: what the machine does besides makes either longer, and neither shorter than its work.
    const times = { known: Number.POSITIVE_INFINITY, unknown: Number.POSITIVE_INFINITY };
    const isAlike = () => times.unknown > times.known * 0.5 && times.unknown < times.known * 2;
    for (let round = 0; round < 3 || (round < 12 && !isAlike()); round++) {
      const { username } = await vareon.newUser();
      for (let time = 0; time < 2; time++) {
        times.known = Math.min(times.known, await msOf(username, `127.0.2.${round + 1}`));
        times.unknown = Math.min(times.unknown, await msOf(`n${round}-${time}`, `127.0.2.${round + 1}`));
      }
    }
    expect({ ...times, isAlike: isAlike() }).toMatchObject({ isAlike: true });
  });

  test('keeps passwords as argon2id hashes of the cost that is promised', async () => {
    const [row] = await vareon.sql<{ password_hash: string }>(
      "select password_hash from users where username = 'admin'",
    );
    expect(row?.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  });

  test('writes who logged in, and failures, to the audit log', async () => {
    const user = await vareon.newUser();
    await logIn(user.username, 'wrong password');
    const lines = await vareon.sql<{ actor: string; outcome: string }>(
      "select actor, outcome, resource from audit_log where action = 'POST /api/token' order by id desc limit 2",
    );
    expect(lines).toEqual([
      { actor: 'anonymous', outcome: 'unauthenticated', resource: `/api/token of ${user.username}` },
      { actor: user.username, outcome: 'ok', resource: '/api/token' },
    ]);
    await expect(vareon.sql("update audit_log set actor = 'x'")).rejects.toThrow(/append-only/);
  });
});

describe('guessing passwords', () => {
  test('waits 1 s after five failures, then twice as long, and a right password ends it', async () => {
    let round = 0;
    const guessed = async () => {
      const { username } = await vareon.newUser();
      const from = `127.0.3.${++round}`; // failures are counted by address, too
      for (let i = 0; i < 5; i++) expect((await logIn(username, `wrong ${i}`, from)).status).toBe(401);
      const body = { username, password: PASSWORD };
      const refused = await vareon.replica('POST', '/api/token', { body, from });
      const sixth = await until(
        () => logIn(username, 'wrong again', from),
        ({ status }) => status !== 429,
        60_000,
      );
      expect(sixth.status).toBe(401);
      const seventh = await logIn(username, PASSWORD, from);
      const waits = [refused, seventh].map(({ headers }) => headers['retry-after']);
      return { username, waits };
    };
    // On a slow machine the second is over before the next request is there: then once more.
    const { username } = await until(guessed, ({ waits }) => waits.join() === '1,2', 300_000);
    await until(
      () => logIn(username, PASSWORD),
      ({ status }) => status === 200,
      60_000,
    );
    for (let i = 0; i < 4; i++) expect((await logIn(username, `wrong ${i}`)).status).toBe(401);
    expect((await logIn(username, PASSWORD)).status).toBe(200);
  });

  test('waits 15 minutes at most', async () => {
    expect((await logIn('often-guessed', 'wrong')).status).toBe(401);
    await vareon.sql("update rate_limits set points = 40 where key like 'login_failures:%'");
    expect((await logIn('often-guessed', 'wrong')).status).toBe(401);
    const refused = await logIn('often-guessed', 'wrong');
    const seconds = Number(refused.headers['retry-after']);
    expect([seconds > 800, seconds <= 900]).toEqual([true, true]);
  });

  test('tries no more of many guesses that come at once than of guesses in a row', async () => {
    const { username } = await vareon.newUser();
    const startedAt = performance.now();
    const guesses = Array.from({ length: 20 }, (_, i) => logIn(username, `wrong ${i}`, '127.0.0.21'));
    const statuses = (await Promise.all(guesses)).map(({ status }) => status);
    // After 1 s, after 2 s more and so on one more may be tried: where all of them take that long.
    const more = Math.floor(Math.log2((performance.now() - startedAt) / 1_000 + 1));
    const tried = statuses.filter((status) => status === 401).length;
    expect(tried).toBeGreaterThanOrEqual(5);
    expect(tried).toBeLessThanOrEqual(5 + more);
    expect(statuses.filter((status) => status === 429)).toHaveLength(20 - tried);
  });

  test('stops an address after 50 failures, and only that one', async () => {
    const from = '127.0.0.22';
    const guesses = Array.from({ length: 60 }, (_, i) => logIn(`name-${i}`, 'wrong', from));
    const statuses = (await Promise.all(guesses)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 401)).toHaveLength(50);
    const refused = await logIn('admin', ADMIN_PASSWORD, from);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(800);
    expect((await logIn('admin', ADMIN_PASSWORD, '127.0.0.23')).status).toBe(200);
  });

  test('counts IPv6 by the /64 and IPv4 in IPv6 as IPv4', () => {
    expect(addressKey('2001:db8::1')).toBe(addressKey('2001:db8:0:0:ffff::2'));
    expect(addressKey('2001:db8:1::1')).not.toBe(addressKey('2001:db8::1'));
    expect(addressKey('::ffff:10.0.0.1')).toBe('10.0.0.1');
  });
});

describe('access tokens', () => {
  test('name their algorithm, type and key', async () => {
    expect(decodeProtectedHeader(vareon.adminToken)).toEqual({
      alg: 'HS256',
      typ: 'at+jwt',
      kid: expect.stringMatching(/^[\w-]{16}$/),
    });
  });

  test('of another make are refused, whatever is wrong with them', async () => {
    const claims = decodeJwt(vareon.adminToken);
    const header = { ...decodeProtectedHeader(vareon.adminToken), alg: 'HS256' };
    const key = createSecretKey(vareon.keys.jwt);
    const sign = (change: object, headerChange: object = {}, secret = key) =>
      new SignJWT({ ...claims, ...change }).setProtectedHeader({ ...header, ...headerChange }).sign(secret);
    const long = createSecretKey(Buffer.concat([vareon.keys.jwt, vareon.keys.jwt]));
    const forged = {
      'alg none': new UnsecuredJWT(claims).encode(),
      'another typ': await sign({}, { typ: 'JWT' }),
      'no typ': await sign({}, { typ: undefined }),
      'another aud': await sign({ aud: 'elsewhere' }),
      'another iss': await sign({ iss: 'elsewhere' }),
      'another kid': await sign({}, { kid: 'elsewhere' }),
      'another key': await sign({}, {}, createSecretKey(vareon.keys.encryption)),
      'another algorithm': await sign({}, { alg: 'HS512' }, long),
      expired: await sign({ exp: Math.floor(Date.now() / 1000) - 1 }),
      'without exp': await sign({ exp: undefined }),
      'another epoch': await sign({ epoch: 99 }),
      'another user': await sign({ sub: '01890000-0000-7000-8000-000000000000' }),
      'another session': await sign({ sid: '01890000-0000-7000-8000-000000000000' }),
      'a sid that is no id': await sign({ sid: "' or 1=1" }),
      nonsense: 'abc',
    };
    expect((await vareon.api('GET', '/api/users/me', { token: await sign({}) })).status).toBe(200);
    for (const [what, token] of Object.entries(forged)) {
      const { status } = await vareon.api('GET', '/api/users/me', { token });
      expect([what, status]).toEqual([what, 401]);
    }
  });

  test('expire although they were good a moment ago', async () => {
    const header = { ...decodeProtectedHeader(vareon.adminToken), alg: 'HS256' };
    const issue = async () => {
      const exp = Math.floor(Date.now() / 1000) + 2;
      const token = new SignJWT({ ...decodeJwt(vareon.adminToken), exp }).setProtectedHeader(header);
      return { exp, token: await token.sign(createSecretKey(vareon.keys.jwt)) };
    };
    const status = async (token: string) => (await vareon.api('GET', '/api/users/me', { token })).status;
    // On a slow machine it is over before the request is there: then another one.
    const good = await until(
      async () => {
        const issued = await issue();
        return { ...issued, status: await status(issued.token) };
      },
      (seen) => seen.status === 200,
      60_000,
    );
    await until(
      () => status(good.token),
      (seen) => seen === 401,
      60_000,
    );
    expect(Date.now()).toBeGreaterThanOrEqual(good.exp * 1000);
  });
});
