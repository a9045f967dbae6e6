import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { ConfigError, readConfig, retentionPolicy, withSecrets } from '../config.ts';
import { readKeys } from '../keys.ts';

const problemsOf = (env: Record<string, string>): string[] => {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    return (error as ConfigError).problems; // readConfig throws nothing else
  }
};

describe('Settings', () => {
  test('have defaults', () => {
    expect(readConfig({})).toMatchObject({
      VAREON_PORT: 8000,
      VAREON_REGISTRATION: 'off',
      LOG_LEVEL: 'info',
    });
  });

  test('of retention are days, and off keeps for ever', () => {
    const config = readConfig({ VAREON_KEEP_RUNS_DAYS: 'off', VAREON_KEEP_AUDIT_DAYS: '90' });
    expect(retentionPolicy(config)).toEqual({
      runsDays: 0,
      logsDays: 30,
      eventsDays: 7,
      auditDays: 90,
      metricsDays: 30,
      telemetryDays: 90,
      statesDays: 30,
    });
    expect(problemsOf({ VAREON_KEEP_LOGS_DAYS: '0.5', VAREON_KEEP_EVENTS_DAYS: 'never' })).toHaveLength(2);
  });

  test('that are wrong are all named, with what was found', () => {
    const problems = problemsOf({
      VAREON_PORT: 'eight',
      ACCESS_TOKEN_EXPIRE_MINUTES: '11',
      DATABASE_URL: 'mysql://user:secret@host/db',
      TEMPORAL_ADDRESS: 'http://host',
      VAREON_PAYLOAD_CODEC: 'off',
      VAREON_REGISTRATION: 'maybe',
      VAREON_HOST_NAME: 'Not A Name',
    });
    expect(problems.map((problem) => problem.split(':')[0]).sort()).toEqual([
      'ACCESS_TOKEN_EXPIRE_MINUTES',
      'DATABASE_URL',
      'TEMPORAL_ADDRESS',
      'VAREON_HOST_NAME',
      'VAREON_PORT',
      'VAREON_REGISTRATION',
    ]);
    expect(problems.join()).toContain('found "eight"');
    expect(problems.join()).not.toContain('secret');
  });

  test.each([
    [{ VAREON_TLS_CERT: '/a' }, /belong together/],
    [{ BUS_USERNAME: 'x' }, /belong together/],
    [{ VAREON_PORT: '8233' }, /choose two ports/],
    [{ VAREON_CORS_ORIGINS: 'dash.example.org' }, /is not an origin/],
    [{ TEMPORAL_ADDRESS: 'temporal.example.org:7233' }, /VAREON_PAYLOAD_CODEC=on to encrypt it, or off/],
    [{ AWS_ACCESS_KEY_ID: 'AKIA' }, /belong together/],
    [{ VAREON_STORAGE: 'ftp://blobs' }, /neither a folder nor s3:/],
    [{ VAREON_OUTBOUND_ALLOW: '10.0.0.0' }, /is not a CIDR range/],
    [{ VAREON_OUTBOUND_ALLOW: '10.0.0.0/99' }, /is not a CIDR range/],
  ])('%j do not go together', (env, message) => {
    expect(problemsOf(env)).toEqual([expect.stringMatching(message)]);
  });
});

describe('Secrets in files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vareon-secrets-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = (content: string): string => {
    const path = join(folder, randomUUID());
    writeFileSync(path, content);
    return path;
  };

  test.each([
    ['DATABASE_URL', 'postgres://vareon:secret@database/vareon'],
    ['SMTP_URL', 'smtps://vareon:secret@mail.example.org'],
    ['BUS_URL', 'mqtt://vareon:secret@bus'],
    ['BUS_PASSWORD', 'secret'],
    ['VAREON_ADMIN_PASSWORD', 'a very long secret'],
  ])('%s is read without the last line break', (name, value) => {
    const env = {
      BUS_USERNAME: 'platform',
      BUS_PASSWORD: 'x',
      [name]: '',
      [`${name}_FILE`]: file(`${value}\n`),
    };
    expect(readConfig(env)).toMatchObject({ [name]: value });
    expect(withSecrets(env)).toMatchObject({ [name]: value });
    expect(withSecrets(env)).not.toHaveProperty(`${name}_FILE`);
  });

  test('what is wrong with them is said, and nothing of what they hold', () => {
    const problems = problemsOf({
      DATABASE_URL_FILE: '/nowhere/database-url',
      SMTP_URL_FILE: file(''),
      BUS_URL_FILE: file('mqtt://secret\nmqtt://secret'),
      VAREON_ADMIN_PASSWORD: 'secret secret',
      VAREON_ADMIN_PASSWORD_FILE: file('secret secret'),
      VAREON_PORT_FILE: file('8000'),
    });
    expect(problems.sort()).toEqual([
      expect.stringMatching(/^BUS_URL_FILE: .* holds more than one line$/),
      'DATABASE_URL_FILE: /nowhere/database-url cannot be read (ENOENT)',
      expect.stringMatching(/^SMTP_URL_FILE: .* is empty$/),
      'VAREON_ADMIN_PASSWORD and VAREON_ADMIN_PASSWORD_FILE are both set: set one of them',
      'VAREON_PORT_FILE: only secrets are read from files; set VAREON_PORT itself',
    ]);
    expect(problemsOf({ DATABASE_URL_FILE: file('mysql://user:secret@host/db') }).join()).toMatch(
      /^DATABASE_URL: must match .* \(found a value that is not shown\)$/,
    );
  });
});

describe('Keys', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vareon-keys-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('that are missing are not made by whoever needs them', () => {
    const keysDir = join(folder, 'nobody-made-them');
    expect(() => readKeys({ keysDir })).toThrow(/encryption\.key cannot be read \(ENOENT\)/);
    expect(existsSync(keysDir)).toBe(false);
  });

  test('are in the data folder, or where VAREON_KEYS_DIR says', () => {
    expect(readConfig({ VAREON_DATA_DIR: '/data' }).keysDir).toBe('/data/keys');
    expect(readConfig({ VAREON_DATA_DIR: '/data', VAREON_KEYS_DIR: '/run/secrets' }).keysDir).toBe(
      '/run/secrets',
    );
  });

  test('are made once, for their owner alone, and read again', () => {
    const keysDir = join(folder, 'keys');
    const keys = readKeys({ keysDir }, { make: true });
    for (const again of [readKeys({ keysDir }, { make: true }), readKeys({ keysDir })]) {
      expect([again.jwt, again.bus]).toEqual([keys.jwt, keys.bus]);
      expect(again.encryption.current()).toEqual(keys.encryption.current());
    }
    expect(statSync(keysDir).mode & 0o777).toBe(0o700);
    for (const name of ['jwt', 'encryption', 'bus', 'payload'])
      expect(statSync(join(keysDir, `${name}.key`)).mode & 0o777).toBe(0o600);
  });

  test('of payloads that were retired still open, after the one that seals', () => {
    const keysDir = join(folder, 'retired');
    const { payload: before } = readKeys({ keysDir }, { make: true });
    renameSync(join(keysDir, 'payload.key'), join(keysDir, 'payload.2026.key'));
    const { payload: after } = readKeys({ keysDir }, { make: true });
    expect(after).toHaveLength(2);
    expect(after[0].equals(before[0])).toBe(false);
    expect(after[1]?.equals(before[0])).toBe(true);
  });

  test('that are damaged stop the start rather than being made anew', () => {
    const keysDir = join(folder, 'damaged');
    readKeys({ keysDir }, { make: true });
    writeFileSync(join(keysDir, 'jwt.key'), 'short');
    expect(() => readKeys({ keysDir }, { make: true })).toThrow(ConfigError);
  });
});
