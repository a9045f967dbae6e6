import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { readKeys } from '../../keys.ts';
import { restoreMark } from '../../local/half-restored.ts';
import { verifyArchive } from '../../ops/archive/read.ts';
import { testEnvironment, testStack } from '../support/stack.ts';
import { runCommand } from './commands.ts';

const DATABASE = `restored_${process.pid}_${Date.now()}`;
let folder: string;
let server: Client;

const keysOf = (name: string) => ({ keysDir: join(folder, name, 'keys') });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vareon-own-'));
  readKeys(keysOf('first'), { make: true });
  server = new Client(testStack().databaseUrl);
  await server.connect();
  await server.query(`create database ${DATABASE}`);
});
afterAll(async () => {
  await server.query(`drop database ${DATABASE} with (force)`);
  await server.end();
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
});

/** Settings as for a platform whose servers are elsewhere: here, those of the other tests. */
const settings = async (name: string, databaseUrl: string) => ({
  ...(await testEnvironment(join(folder, name), 'seven quiet herons')),
  DATABASE_URL: databaseUrl,
  TEMPORAL_ADDRESS: testStack().temporalAddress,
  VAREON_PAYLOAD_CODEC: 'off',
});

test('Servers of one’s own: rows and keys go over, what is not covered is named, and a full database is refused', async () => {
  const { databaseUrl, temporalAddress } = testStack();
  const archive = join(folder, 'backup.tar.gz');
  const made = await runCommand('backup', ['--to', archive], await settings('first', databaseUrl));
  expect(made).toMatchObject({
    code: 0,
    output: expect.stringContaining(`Not in it: Temporal at ${temporalAddress} keeps its own database`),
  });
  expect(made.output).not.toContain(new URL(databaseUrl).password);
  const manifest = await verifyArchive(archive, { identityFile: undefined, passphraseFile: undefined });
  expect(manifest.temporal_namespace).toBeNull();
  expect(manifest.secret_settings).toContain('DATABASE_URL');
  expect(JSON.stringify(manifest)).not.toContain(new URL(databaseUrl).password);

  const full = await runCommand('restore', [archive], await settings('refused', databaseUrl));
  expect(full).toMatchObject({ code: 1, output: expect.stringContaining('The database is not empty') });
  expect(existsSync(restoreMark(join(folder, 'refused')))).toBe(true);

  const url = new URL(databaseUrl);
  url.pathname = `/${DATABASE}`;
  const restored = await runCommand('restore', [archive], await settings('second', url.href));
  expect(restored).toMatchObject({ code: 0, output: expect.stringContaining('Restored the backup') });
  const keys = (name: string) => {
    const { encryption, ...others } = readKeys(keysOf(name));
    return { ...others, encryption: encryption.current() };
  };
  expect(keys('second')).toEqual(keys('first'));
  const there = new Client(url.href);
  await there.connect();
  for (const { name, rows } of manifest.tables) {
    const { rows: counted } = await there.query(`select count(*)::int as n from "${name}"`);
    expect({ name, rows: counted[0].n }).toEqual({ name, rows });
  }
  await there.end();
}, 600_000);
