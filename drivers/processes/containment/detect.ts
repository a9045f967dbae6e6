import { findProgram } from '../programs.ts';
import type { RunAs } from '../run-as.ts';
import { type Containment, until } from './containment.ts';
import { createGroupContainment } from './group.ts';
import { createNamespaceContainment } from './namespace.ts';

/**
 * The containments that work on this machine, best first; each namespace is tried by running something in it.
 * @param path for finding setpriv, unshare, nsenter and prlimit (util-linux)
 */
export async function findContainments(path: string, user: RunAs | undefined): Promise<Containment[]> {
  if (process.platform === 'win32')
    throw new Error('code steps need a Unix system: run the host in WSL or a container');
  const has = async (program: string): Promise<boolean> =>
    (await findProgram(program, path, user)) !== undefined;
  const [setpriv, prlimit] = await Promise.all([has('setpriv'), has('prlimit')]);
  const unprivileged = process.getuid?.() !== 0;
  const found: Containment[] = [];
  for (const ownProc of [true, false]) {
    const containment = createNamespaceContainment({ ownProc, unprivileged, path });
    if (found.length === 0 && (await works(containment, path, user))) found.push(containment);
  }
  return [...found, createGroupContainment({ prlimit, setpriv })];
}

/** A signal must come through as a signal, and everything must be gone afterwards. */
async function works(containment: Containment, path: string, user: RunAs | undefined): Promise<boolean> {
  try {
    const tree = await containment.start({
      id: 'probe',
      argv: ['/bin/sh', '-c', 'sleep 60 & kill -USR1 $$'],
      env: { PATH: path },
      cwd: '/',
      stdio: ['ignore', 'ignore', 'ignore'],
      user,
      note: async () => {},
    });
    const { signal } = await tree.exited;
    await tree.kill();
    return signal === 'SIGUSR1' && (await until(() => !tree.isAlive(), 1_000));
  } catch {
    return false; // not permitted here (a container, a hardened kernel) or the programs are missing
  }
}
