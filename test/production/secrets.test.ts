import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { topics } from '../../domain/names.ts';
import { busPassword } from '../../drivers/bus/credentials.ts';
import { readKeys } from '../../keys.ts';
import { hostReads, hostWrites } from '../../production/bus-files.ts';
import { makeSecrets } from '../../production/secrets.ts';

const folder = join(mkdtempSync(join(tmpdir(), 'vareon-secrets-')), 'secrets');
afterAll(() => rmSync(join(folder, '..'), { recursive: true }));
const content = (name: string) => readFileSync(join(folder, name), 'utf8');
/** Salted anew each time. */
const lasting = () =>
  Object.fromEntries(
    readdirSync(folder).flatMap((name) =>
      name.startsWith('bus-') && /passwd$/.test(name) ? [] : [[name, content(name)]],
    ),
  );

describe('npm run secrets', () => {
  test('makes what the processes read, in a folder that only its owner may enter', () => {
    makeSecrets(folder, ['local']);
    const keys = readKeys({ keysDir: folder });
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(content('bus-platform.password')).toBe(busPassword(keys.bus, 'platform'));
    expect(content('bus-host-local.password')).toBe(busPassword(keys.bus, 'host-local'));
    expect(content('database-url')).toContain(content('vareon-database-password'));
    for (const name of readdirSync(folder)) expect(content(name)).not.toBe('');
    expect(content('host-local.own-credential')).toBe(content('host-local.credential'));
    // Who runs a step beside the host is another user there.
    expect(statSync(join(folder, 'host-local.own-credential')).mode & 0o777).toBe(0o600);
  });

  test('changes nothing that is there, and adds hosts', () => {
    const before = lasting();
    expect(makeSecrets(folder, ['mill'])).toEqual(['local', 'mill']);
    expect(lasting()).toMatchObject({
      ...before,
      'bus-hosts.acl': expect.stringContaining('user host-mill\n'),
    });
    expect(content('bus-hosts.acl')).toContain('user host-local\n');
    expect(content('bus-hosts.passwd').match(/^host-\w+:\$7\$/gm)).toHaveLength(2);
  });

  test.each(['../mill', 'Mill', '', 'a b', 'mill\nuser platform'])('refuses %j as a host', (host) => {
    expect(() => makeSecrets(folder, [host])).toThrow(/is not the name of a host/);
  });

  test('gives a host a right to each of its topics, to speak or to listen', () => {
    const own = Object.entries(topics).flatMap(([name, topic]) => (/^host/.test(name) ? [topic] : []));
    expect(new Set([...hostWrites, ...hostReads])).toEqual(new Set(own));
  });
});
