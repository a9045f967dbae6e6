import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** The system user that code runs as when the host itself runs as root. */
export interface RunAs {
  name: string;
  uid: number;
  gid: number;
}

/**
 * Finds the user, creating it when it is missing: a system user without home, login or password.
 * Not for hosts that do not run as root: they run code as themselves.
 * @throws Error that says what to do when there is no such user and none can be made.
 */
export async function ensureRunAsUser(name: string): Promise<RunAs> {
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(name))
    throw new Error(`VAREON_RUN_AS "${name.slice(0, 64)}" is not a user name such as vareon-run`);
  const found = (await lookUp(name)) ?? (await create(name));
  if (found.uid === 0) throw new Error(`VAREON_RUN_AS "${name}" is root: code steps never run as root`);
  return found;
}

async function lookUp(name: string): Promise<RunAs | undefined> {
  try {
    const [uid, gid] = await Promise.all([execute('id', ['-u', name]), execute('id', ['-g', name])]);
    return { name, uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return undefined; // id(1) ends with 1 when there is no such user
  }
}

/** The tools of shadow-utils and of BusyBox. */
const makers: [string, string[]][] = [
  [
    'useradd',
    ['--system', '--user-group', '--no-create-home', '--home-dir', '/nonexistent', '--shell', '/bin/false'],
  ],
  ['adduser', ['-S', '-D', '-H', '-h', '/nonexistent', '-s', '/bin/false']],
];

async function create(name: string): Promise<RunAs> {
  const problems: string[] = [];
  for (const [program, options] of makers) {
    try {
      await execute(program, [...options, name]);
    } catch (error) {
      problems.push(error instanceof Error ? error.message.trim() : String(error));
    }
    // Looked up after a failure too: another host on this machine may have made it meanwhile.
    const made = await lookUp(name);
    if (made) return made;
  }
  throw new Error(
    `Code steps do not run as root, and the user "${name}" for them could not be created: create it ` +
      `(useradd --system ${name}) or set VAREON_RUN_AS to a user that exists. ${problems.join('; ')}`,
  );
}
