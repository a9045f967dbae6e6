import { mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ConfigError, readConfig, readKeys } from '../config.ts';

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

describe('Keys', () => {
  test('are made once, for their owner alone, and read again', () => {
    const folder = mkdtempSync(join(tmpdir(), 'vareon-keys-'));
    const keys = readKeys(folder);
    expect(readKeys(folder)).toEqual(keys);
    expect(statSync(join(folder, 'keys')).mode & 0o777).toBe(0o700);
    for (const name of ['jwt', 'encryption', 'bus', 'payload'])
      expect(statSync(join(folder, 'keys', `${name}.key`)).mode & 0o777).toBe(0o600);
    rmSync(folder, { recursive: true });
  });

  test('of payloads that were retired still open, after the one that seals', () => {
    const folder = mkdtempSync(join(tmpdir(), 'vareon-keys-'));
    const { payload: before } = readKeys(folder);
    renameSync(join(folder, 'keys', 'payload.key'), join(folder, 'keys', 'payload.2026.key'));
    const { payload: after } = readKeys(folder);
    expect(after).toHaveLength(2);
    expect(after[0].equals(before[0])).toBe(false);
    expect(after[1]?.equals(before[0])).toBe(true);
    rmSync(folder, { recursive: true });
  });

  test('that are damaged stop the start rather than being made anew', () => {
    const folder = mkdtempSync(join(tmpdir(), 'vareon-keys-'));
    readKeys(folder);
    writeFileSync(join(folder, 'keys', 'jwt.key'), 'short');
    expect(() => readKeys(folder)).toThrow(ConfigError);
    rmSync(folder, { recursive: true });
  });
});
