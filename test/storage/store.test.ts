import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openFolderStore } from '../../drivers/storage/folder.ts';
import { openStorage, storageProblem } from '../../drivers/storage/open.ts';
import { BlobNotFound, type BlobStore } from '../../drivers/storage/port.ts';
import { deleteBlobs, readBlob } from '../../drivers/storage/read.ts';
import { type S3Server, startS3Server } from './s3-server.ts';

let server: S3Server;
let folder: string;
const stores = new Map<string, BlobStore>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vareon-blobs-'));
  server = await startS3Server();
  stores.set('a folder', await openStorage({ dataDir: folder }));
  stores.set(
    'S3',
    await openStorage({
      dataDir: folder,
      VAREON_STORAGE: server.setting,
      AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
    }),
  );
});
afterAll(async () => {
  for (const store of stores.values()) store.close();
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const LIMIT = 64 * 1024 * 1024;

async function* pieces(count: number, piece: Uint8Array) {
  for (let n = 0; n < count; n++) yield piece;
}

describe.each(['a folder', 'S3'])('Blobs in %s', (name) => {
  const store = () => stores.get(name) as BlobStore; // made above

  test('come back as they were put, also from a stream that is larger than one part of an upload', async () => {
    const bytes = randomBytes(100_000);
    expect(await store().put('a/bytes', bytes)).toEqual({ key: 'a/bytes', sizeBytes: 100_000 });
    expect((await readBlob(store(), 'a/bytes', LIMIT)).equals(bytes)).toBe(true);
    const piece = randomBytes(1024 * 1024);
    expect(await store().put('a/stream', pieces(12, piece))).toMatchObject({ sizeBytes: 12 * piece.length });
    const found = await store().get('a/stream');
    expect(found.sizeBytes).toBe(12 * piece.length);
    found.content.destroy();
    const whole = await readBlob(store(), 'a/stream', LIMIT);
    expect(whole.subarray(-piece.length).equals(piece)).toBe(true);
    await expect(readBlob(store(), 'a/stream', 1000)).rejects.toThrow('more than 1000 bytes');
    expect(await store().put('a/empty', Buffer.alloc(0))).toMatchObject({ sizeBytes: 0 });
    expect(await readBlob(store(), 'a/empty', LIMIT)).toHaveLength(0);
  });

  test('are replaced whole', async () => {
    await store().put('b/x', Buffer.from('first'));
    await store().put('b/x', Buffer.from('second'));
    expect(String(await readBlob(store(), 'b/x', LIMIT))).toBe('second');
    expect(await store().stat('b/x')).toEqual({ key: 'b/x', sizeBytes: 6 });
  });

  test('that are not there are told apart from what failed', async () => {
    await expect(store().get('none/here')).rejects.toThrow(BlobNotFound);
    expect(await store().stat('none/here')).toBeUndefined();
    await store().delete('none/here');
  });

  test('whose stream fails or is given up leave what was there before', async () => {
    await store().put('c/x', Buffer.from('before'));
    const broken = async function* () {
      yield Buffer.from('half');
      throw new Error('the sender went away');
    };
    await expect(store().put('c/x', broken())).rejects.toThrow('the sender went away');
    const given = new AbortController();
    const slow = async function* () {
      yield Buffer.from('half');
      given.abort(new Error('given up'));
      yield Buffer.from('rest');
    };
    await expect(store().put('c/x', slow(), { signal: given.signal })).rejects.toThrow();
    expect(String(await readBlob(store(), 'c/x', LIMIT))).toBe('before');
    expect((await store().list('c/')).blobs).toEqual([{ key: 'c/x', sizeBytes: 6 }]);
  });

  test('are listed by prefix, page by page, and deleted by prefix', async () => {
    const keys = ['l/a/1', 'l/a-b', 'l/a.c', 'l/a/0/x', 'l/b', 'm/z'];
    for (const key of keys) await store().put(key, Buffer.from(key));
    const below = keys.filter((key) => key.startsWith('l/')).sort();
    const all = await store().list('l/');
    expect(all.blobs.map(({ key, sizeBytes }) => [key, sizeBytes]).sort()).toEqual(
      below.map((key) => [key, key.length]),
    );
    expect(all.next).toBeUndefined();
    const paged: string[] = [];
    for (let from: string | undefined; ; ) {
      const { blobs, next } = await store().list('l/', { from, limit: 2 });
      paged.push(...blobs.map(({ key }) => key));
      if (next === undefined) break;
      from = next;
    }
    expect(paged.sort()).toEqual(below);
    expect(await deleteBlobs(store(), 'l/')).toBe(below.length);
    expect((await store().list('l/')).blobs).toEqual([]);
    expect(await store().stat('m/z')).toBeDefined();
  });

  test.each([
    '../x',
    'a/../../x',
    '/etc/passwd',
    'a//b',
    '.hidden',
    'a/.incoming/x',
    'a\\b',
    'a\0b',
    '',
    'a/',
  ])('cannot be outside: %j is not a key', async (key) => {
    await expect(store().put(key, Buffer.from('x'))).rejects.toThrow('not the key of a blob');
    await expect(store().get(key)).rejects.toThrow('not the key of a blob');
    await expect(store().delete(key)).rejects.toThrow('not the key of a blob');
  });

  test('cannot be listed outside either', async () => {
    for (const prefix of ['../', '/', 'a', '.incoming/', 'a/../'])
      await expect(store().list(prefix)).rejects.toThrow('not a prefix');
  });
});

describe('A folder of blobs', () => {
  test('takes blobs into a folder that others empty in the same moments', async () => {
    const root = join(folder, 'emptied');
    const stores = await Promise.all([openFolderStore(root), openFolderStore(root)]);
    const putAndDelete = async (one: number): Promise<void> => {
      for (let time = 0; time < 50; time++) {
        const key = `uploads/${one}-${time}`;
        await stores[one % 2]?.put(key, Buffer.from('x'));
        await stores[one % 2]?.delete(key);
      }
    };
    await Promise.all([0, 1, 2, 3].map(putAndDelete));
    expect(readdirSync(root)).toEqual(['.incoming']);
  });

  test('is its owner’s alone, holds no empty folders, and loses what a crash left half written', async () => {
    const root = join(folder, 'own');
    const store = await openFolderStore(root);
    await store.put('deep/er/x', Buffer.from('x'));
    expect(statSync(root).mode & 0o777).toBe(0o700);
    expect(statSync(join(root, 'deep', 'er')).mode & 0o777).toBe(0o700);
    expect(statSync(join(root, 'deep', 'er', 'x')).mode & 0o777).toBe(0o600);
    await store.delete('deep/er/x');
    expect(readdirSync(root)).toEqual(['.incoming']);
    const [old, fresh] = [join(root, '.incoming', 'old'), join(root, '.incoming', 'fresh')];
    for (const file of [old, fresh]) writeFileSync(file, 'half');
    utimesSync(old, new Date(0), new Date(0));
    await openFolderStore(root);
    expect(readdirSync(join(root, '.incoming'))).toEqual(['fresh']);
  });

  test('takes writes and deletes of neighbours side by side', async () => {
    const store = await openFolderStore(join(folder, 'busy'));
    const work = Array.from({ length: 40 }, async (_, n) => {
      const key = `runs/one/${n}`;
      await store.put(key, Buffer.from(key));
      if (n % 2 === 0) await store.delete(key);
    });
    await Promise.all(work);
    expect((await store.list('runs/one/')).blobs).toHaveLength(20);
  });
});

describe('The setting', () => {
  test.each([
    ['ftp://bucket', /neither a folder nor/],
    ['s3://', /neither a folder nor/],
    ['s3://key:secret@bucket', /AWS_ACCESS_KEY_ID/],
    ['s3://bucket?zone=1', /"zone" is not known/],
    ['s3://bucket?endpoint=127.0.0.1:9000', /is not a URL/],
    ['s3://bucket/a b', /other characters/],
  ])('%s is refused in words', (setting, message) => {
    expect(storageProblem(setting)).toMatch(message);
  });

  test.each([
    './blobs',
    '/var/lib/blobs',
    's3://bucket',
    's3://bucket/a/b?endpoint=http://127.0.0.1:9000&region=eu',
  ])('%s is taken', (setting) => {
    expect(storageProblem(setting)).toBeUndefined();
  });
});
