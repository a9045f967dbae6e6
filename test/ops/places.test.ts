import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { openStorage } from '../../drivers/storage/open.ts';
import { readBlob } from '../../drivers/storage/read.ts';
import { readKeys } from '../../keys.ts';
import { type S3Server, startS3Server } from '../storage/s3-server.ts';
import { testEnvironment, testStack } from '../support/stack.ts';
import { runCommand } from './commands.ts';

/** An installation whose keys and large values are in its data folder, restored to where settings say otherwise. */
const databases = ['folders', 's3'].map((name) => `places_${name}_${process.pid}_${Date.now()}`);
const BLOB = 'runs/0192/a.bin';
let folder: string;
let archive: string;
let server: Client;
let s3: S3Server;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vareon-places-'));
  archive = join(folder, 'backup.tar.gz');
  readKeys({ keysDir: join(folder, 'first', 'keys') }, { make: true });
  const blobs = join(folder, 'first', 'blobs');
  mkdirSync(join(blobs, 'runs', '0192'), { recursive: true });
  mkdirSync(join(blobs, '.incoming'));
  writeFileSync(join(blobs, BLOB), 'a large value');
  writeFileSync(join(blobs, '.incoming', 'half'), 'half of one');
  server = new Client(testStack().databaseUrl);
  await server.connect();
  for (const name of databases) await server.query(`create database ${name}`);
  s3 = await startS3Server();
  const made = await runCommand('backup', ['--to', archive], await settings('first'));
  expect(made).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await s3?.[Symbol.asyncDispose]();
  for (const name of databases) await server.query(`drop database ${name} with (force)`);
  await server.end();
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
});

async function settings(name: string, more: object = {}, database?: string) {
  const url = new URL(testStack().databaseUrl);
  if (database) url.pathname = `/${database}`;
  return {
    ...(await testEnvironment(join(folder, name), 'seven quiet herons')),
    DATABASE_URL: url.href,
    TEMPORAL_ADDRESS: testStack().temporalAddress,
    VAREON_PAYLOAD_CODEC: 'off',
    ...more,
  };
}

const restore = async (...given: Parameters<typeof settings>) =>
  runCommand('restore', [archive], await settings(...given));

const keyFiles = (place: string) => readdirSync(place).filter((name) => name.endsWith('.key'));

test('Keys and large values go to the folders that the settings name', async () => {
  const places = { VAREON_KEYS_DIR: join(folder, 'secrets'), VAREON_STORAGE: join(folder, 'values') };
  const restored = await restore('second', places, databases[0]);
  expect(restored).toMatchObject({ code: 0, output: expect.stringContaining(`in ${places.VAREON_STORAGE}`) });
  const from = join(folder, 'first', 'keys');
  expect(keyFiles(places.VAREON_KEYS_DIR)).toEqual(keyFiles(from));
  for (const name of keyFiles(from))
    expect(readFileSync(join(places.VAREON_KEYS_DIR, name))).toEqual(readFileSync(join(from, name)));
  expect(keyFiles(join(folder, 'second', 'keys'))).toEqual([]);
  expect(readFileSync(join(places.VAREON_STORAGE, BLOB), 'utf8')).toBe('a large value');
  expect(existsSync(join(folder, 'second', 'blobs'))).toBe(false);
  expect(readdirSync(join(places.VAREON_STORAGE, '.incoming'))).toEqual([]);
});

test('Large values go to S3, and keys that are in place already stay', async () => {
  const storage = {
    VAREON_STORAGE: s3.setting,
    AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
  };
  const places = { VAREON_KEYS_DIR: join(folder, 'first', 'keys'), ...storage };
  const restored = await restore('third', places, databases[1]);
  expect(restored).toMatchObject({ code: 0, output: expect.not.stringContaining('endpoint') });
  const blobs = await openStorage({ dataDir: folder, ...storage });
  expect((await readBlob(blobs, BLOB, 1_000)).toString()).toBe('a large value');
  blobs.close();
});

test('Places that cannot take them are refused before the first write', async () => {
  const others = join(folder, 'others');
  readKeys({ keysDir: others }, { make: true });
  expect(await restore('none', { VAREON_KEYS_DIR: others })).toMatchObject({
    code: 1,
    output: expect.stringMatching(/others\/\w+\.key is there and is another key/),
  });
  const away = { VAREON_STORAGE: 's3://bucket/x?endpoint=http://127.0.0.1:1' };
  const login = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
  expect(await restore('none', { ...away, ...login })).toMatchObject({
    code: 1,
    output: expect.stringMatching(/s3:\/\/bucket\/x \(VAREON_STORAGE\), and that does not answer/),
  });
  expect(existsSync(join(folder, 'none'))).toBe(false);
});
