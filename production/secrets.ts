import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { busPassword, supervisedHostCredential } from '../drivers/bus/credentials.ts';
import { hostRights, passwordLines, platformRights } from './bus-files.ts';

/** Each 32 random bytes in base64, as keys.ts reads them. */
const keyNames = ['jwt', 'encryption', 'bus', 'payload'] as const;

/**
 * Makes the secrets that docker-compose.yml mounts, one file each. What is there stays as it is; the bus's files
 * of logins and rights are written again for all hosts. The folder is its owner's alone; the files in it can be
 * read by others, because in its container a process is another user. But not the credential that the host's container
 * has, where steps of users run beside the host: that one is read by root.
 * @param hosts names of worker hosts that may log in to the bus, besides those that may already
 * @returns the names of all hosts that may
 */
export function makeSecrets(folder: string, hosts: readonly string[]): string[] {
  for (const host of hosts)
    if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(host))
      throw new Error(`"${host}" is not the name of a host: small letters, digits and -, at most 63`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  const once = (name: string, make: () => string, mode = 0o644): string => {
    const file = join(folder, name);
    if (!existsSync(file)) writeFileSync(file, make(), { mode, flag: 'wx', flush: true });
    return readFileSync(file, 'utf8');
  };
  const password = (name: string) => once(name, () => randomBytes(24).toString('base64url'));

  for (const name of keyNames) once(`${name}.key`, () => randomBytes(32).toString('base64'));
  password('postgres-password');
  password('temporal-database-password');
  password('admin-password');
  const databasePassword = password('vareon-database-password');
  once('database-url', () => `postgres://vareon:${databasePassword}@postgres:5432/vareon`);

  const busKey = Buffer.from(readFileSync(join(folder, 'bus.key'), 'utf8'), 'base64');
  const login = (username: string) => {
    const file = `bus-${username}.password`;
    return { username, password: once(file, () => busPassword(busKey, username)) };
  };
  const platform = login('platform');
  for (const host of hosts) login(`host-${host}`);
  // The host that docker-compose.yml starts; others join with an enrolment token.
  const credential = once('host-local.credential', () => supervisedHostCredential(busKey, 'local'));
  once('host-local.own-credential', () => credential, 0o600);
  const all = readdirSync(folder)
    .flatMap((name) => /^bus-host-(.+)\.password$/.exec(name)?.[1] ?? [])
    .sort();
  // Written in place: a container sees the file that it was started with, not one that took over its name.
  const write = (name: string, content: string) =>
    writeFileSync(join(folder, name), content, { mode: 0o644 });
  write('bus-platform.passwd', passwordLines([platform]));
  write('bus-platform.acl', platformRights());
  write('bus-hosts.passwd', passwordLines(all.map((host) => login(`host-${host}`))));
  write('bus-hosts.acl', hostRights(all));
  return all;
}
