import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { hasProc, type ProcEntry, sendSignal } from '../proc.ts';
import {
  type Command,
  type Containment,
  exitOf,
  type Mark,
  spawned,
  type Tree,
  until,
} from './containment.ts';
import { bears, family } from './marks.ts';

export interface GroupOptions {
  /** Which helpers this machine has. */
  prlimit: boolean;
  setpriv: boolean;
}

/**
 * Where no namespace can be had: a session of its own, and marks by which /proc gives away what left it. The
 * limit of file locks means nothing to Linux since 2.4 (getrlimit(2)), is inherited by every child through
 * setsid, double fork and `env -i`, and cannot be raised again by who is not root: a number of our own in it
 * names the step. Without prlimit there is the environment, and without /proc only the process group.
 */
export function createGroupContainment({ prlimit, setpriv }: GroupOptions): Containment {
  async function start({ id, argv, env, cwd, stdio, user, note }: Command): Promise<Tree> {
    const locks = prlimit ? `${randomInt(2 ** 40, 2 ** 47)}` : undefined;
    const [program, ...rest] = [
      ...(locks ? ['prlimit', `--locks=${locks}:${locks}`, '--'] : []),
      ...(setpriv ? ['setpriv', '--no-new-privs', '--'] : []),
      ...argv,
    ];
    if (program === undefined) throw new Error('nothing to run');
    const mark: Mark = { kind: 'group', step: id, locks };
    await note(mark);
    const child = spawn(program, rest, {
      env,
      cwd,
      stdio,
      detached: true,
      ...(user ? { uid: user.uid, gid: user.gid } : {}), // libuv drops the supplementary groups with them
    });
    const exited = exitOf(child);
    const pid = await spawned(child);
    const isOurs = (entry: ProcEntry) => entry.group === pid || bears(mark, entry.pid);
    const signalAll = (signal: NodeJS.Signals): void => {
      for (const member of family(isOurs)) sendSignal(member, signal);
      sendSignal(-pid, signal);
    };
    const isAlive = (): boolean => (hasProc() ? family(isOurs).length > 0 : sendSignal(-pid, 0));
    return {
      pid,
      exited,
      terminate: () => {
        signalAll('SIGTERM');
        signalAll('SIGCONT');
      },
      isAlive,
      kill: async () => {
        const isGone = await until(() => {
          if (!isAlive()) return true;
          signalAll('SIGKILL');
          return false;
        }, 5_000);
        if (!isGone) throw new Error(`processes of step ${id} do not die: ${family(isOurs).join(', ')}`);
      },
    };
  }
  return { name: 'process group', start };
}
