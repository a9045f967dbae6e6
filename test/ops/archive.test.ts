import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { FORMAT, MANIFEST, type Manifest } from '../../ops/archive/manifest.ts';
import { readArchive, verifyArchive } from '../../ops/archive/read.ts';
import { createSealer, type KeysToOpen, type Locks } from '../../ops/archive/sealing.ts';
import { createArchive } from '../../ops/archive/write.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vareon-archive-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const noKeys: KeysToOpen = { identityFile: undefined, passphraseFile: undefined };
const noLocks: Locks = { recipients: [], passphraseFile: undefined };
const secret = Buffer.from('canary '.repeat(1_000));

/** Writes an archive of one part; `change` makes its manifest wrong. */
async function write(name: string, locks = noLocks, change: (manifest: Manifest) => object = (same) => same) {
  const target = join(folder, name);
  const archive = await createArchive(target, createSealer(locks));
  await archive.add('keys/a.key', secret);
  const manifest: Manifest = {
    format: FORMAT,
    version: '0.0.0',
    created_at: new Date().toISOString(),
    migrations: [],
    tables: [],
    sequences: [],
    temporal_namespace: null,
    not_covered: [],
    settings: {},
    secret_settings: [],
    parts: [...archive.parts],
  };
  await archive.finish(MANIFEST, Buffer.from(JSON.stringify(change(manifest))));
  return target;
}

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

async function all(content: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return chunks;
}

describe('An archive', () => {
  test('that is encrypted to a public key is opened by its secret key only', async () => {
    const identity = await generateIdentity();
    const target = await write('to-key', { ...noLocks, recipients: [await identityToRecipient(identity)] });
    expect(readFileSync(target).includes('canary')).toBe(false);
    const keys = { ...noKeys, identityFile: file('identity', `# made by a test\n${identity}\n`) };
    expect((await verifyArchive(target, keys)).parts).toHaveLength(1);
    for await (const { path, content } of readArchive(target, keys))
      if (path === 'keys/a.key') expect(Buffer.concat(await all(content))).toEqual(secret);
      else await all(content);
    await expect(verifyArchive(target, noKeys)).rejects.toThrow(/encrypted: give --identity/);
    const other = { ...noKeys, identityFile: file('other', await generateIdentity()) };
    await expect(verifyArchive(target, other)).rejects.toThrow(/does not open/);
  });

  test('that is encrypted with a passphrase is opened by it', async () => {
    const passphraseFile = file('passphrase', 'seven quiet herons\n');
    const target = await write('with-words', { ...noLocks, passphraseFile });
    expect((await verifyArchive(target, { ...noKeys, passphraseFile })).version).toBe('0.0.0');
  }); // age makes guessing slow: 1.5 s of a processor, twice

  test('whose parts are not those of its manifest is refused by the name of the part', async () => {
    const changed = await write('changed', noLocks, (manifest) => ({
      ...manifest,
      parts: manifest.parts.map((part) => ({ ...part, sha256: '0'.repeat(64) })),
    }));
    await expect(verifyArchive(changed, noKeys)).rejects.toThrow(/keys\/a\.key has another checksum/);
    const lacks = await write('lacks', noLocks, (manifest) => ({
      ...manifest,
      parts: [...manifest.parts, { path: 'keys/b.key', bytes: 1, sha256: '0'.repeat(64) }],
    }));
    await expect(verifyArchive(lacks, noKeys)).rejects.toThrow(/lacks keys\/b\.key/);
    const extra = await write('extra', noLocks, (manifest) => ({ ...manifest, parts: [] }));
    await expect(verifyArchive(extra, noKeys)).rejects.toThrow(/does not name/);
  });

  test.each([
    ['commands of PostgreSQL', 'postgres/cluster/postgresql.conf'],
    ['processes to be ended', 'state.json'],
    ['where a host finds its platform', 'hosts/local/host.json'],
    ['a folder above', 'keys/../../a.key'],
  ])('that holds %s, which no backup does, is refused before anything is written', async (_what, path) => {
    const target = join(folder, `odd-${path.replaceAll('/', '-')}`);
    const archive = await createArchive(target, undefined);
    await archive.add(path, secret);
    await archive.finish(MANIFEST, Buffer.from('{}'));
    await expect(verifyArchive(target, noKeys)).rejects.toThrow(/which no backup has/);
  });

  test('of a later format says so', async () => {
    const later = await write('later', noLocks, (manifest) => ({ ...manifest, format: 2, version: '9.0.0' }));
    await expect(verifyArchive(later, noKeys)).rejects.toThrow(/format 2 \(made by Vareon 9\.0\.0\)/);
  });

  test('that is given up leaves nothing', async () => {
    const archive = await createArchive(join(folder, 'given-up'), undefined);
    await archive.add('keys/a.key', secret);
    await archive.abandon();
    expect(readdirSync(folder).filter((name) => name.includes('given-up'))).toEqual([]);
  });
});
