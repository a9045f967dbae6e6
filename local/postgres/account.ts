import { chownSync } from 'node:fs';
import { runOnce } from '../child/run-once.ts';
import { StartError } from '../events.ts';
import type { PostgresFiles } from './files.ts';

/** As whom PostgreSQL runs. */
export interface Account {
  /** What goes before a command so that it runs as that user. */
  prefix: string[];
  /** Gives that user a file or folder. */
  give(path: string): void;
}

const USER = 'postgres';
const same: Account = { prefix: [], give: () => {} };

/**
 * PostgreSQL refuses to run as root, so root runs it as the system user `postgres`, made when it is missing.
 * @throws StartError when that user cannot be made or cannot reach its files.
 */
export async function choosePostgresAccount(files: PostgresFiles, folder: string): Promise<Account> {
  if (process.getuid?.() !== 0) return same;
  const { uid, gid } = await userIds();
  const give = (path: string) => chownSync(path, uid, gid);
  give(folder);
  const tried: string[] = [];
  for (const prefix of prefixes(uid, gid)) {
    const [file = '', ...args] = [
      ...prefix,
      '/bin/sh',
      '-c',
      probe,
      'sh',
      files.postgres,
      files.probe,
      folder,
    ];
    const { code, output } = await runOnce(file, args, { cwd: '/', timeoutMs: 10_000 });
    if (code === 0) return { prefix, give };
    tried.push(output.trim().split('\n').at(-1) ?? '');
  }
  throw new StartError(
    `PostgreSQL cannot run as the user "${USER}" here: it cannot reach ${files.postgres} or ${folder}. ` +
      `Move the clone and the data folder where all users may pass (chmod o+x on the folders above), ` +
      `start as another user than root, or set DATABASE_URL`,
    [...new Set(tried)].join('\n'),
  );
}

/** Whether the binary runs (which needs its own libraries), the shared files read and the data folder takes files. */
const probe = '"$1" --version >/dev/null && exec <"$2" && : >"$3/.probe" && rm "$3/.probe"';

/**
 * A clone below /root, or a data folder of mode 0700, is closed to other users. There the one capability
 * that passes folders is kept (containers have only the wider second one); the secure bit makes access(2),
 * which PostgreSQL asks about its own binary, honour it.
 */
function prefixes(uid: number, gid: number): string[][] {
  const as = ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  const keeping = (capability: string) => [
    ...as,
    `--inh-caps=-all,+${capability}`,
    `--ambient-caps=-all,+${capability}`,
    `--bounding-set=-all,+${capability}`,
    '--securebits=+no_setuid_fixup',
  ];
  const nothing = [...as, '--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all'];
  return [nothing, keeping('dac_read_search'), keeping('dac_override')];
}

async function userIds(): Promise<{ uid: number; gid: number }> {
  const found = await lookUp();
  if (found) return found;
  const args = ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', USER];
  const { output } = await runOnce('useradd', args);
  const made = await lookUp();
  if (made) return made;
  throw new StartError(
    `PostgreSQL does not run as root, and the system user "${USER}" cannot be made. ` +
      `Make it (useradd --system ${USER}), start as another user, or set DATABASE_URL`,
    output.trim(),
  );
}

async function lookUp(): Promise<{ uid: number; gid: number } | undefined> {
  const [uid, gid] = await Promise.all([runOnce('id', ['-u', USER]), runOnce('id', ['-g', USER])]);
  return uid.code === 0 && gid.code === 0 ? { uid: Number(uid.output), gid: Number(gid.output) } : undefined;
}
