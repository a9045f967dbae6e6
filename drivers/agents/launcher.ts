import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { RunAs } from '../processes/run-as.ts';

/**
 * Stands between the host and the agent and outlives the host: waits for the agent and writes down how it ended.
 * The agent has a session of its own (setsid), so signals for its group do not reach the launcher; where there is no
 * setsid(1) they share a group, and what can be caught does not end the launcher.
 *
 * Descriptor 3 is a FIFO that it alone holds: its end is how the host learns of the exit, at once and in a later
 * life too. Opened for reading and writing, so that writing to it without a host neither blocks nor ends it.
 * Descriptor 4 is a file, for what must be known afterwards: the agent's pid, then its exit status. What a shell says
 * of a command that a signal ended, or of a folder that is gone while it starts, is none of the agent's output: that is
 * descriptor 5 until it is its own.
 *
 * The agent is the subshell, which becomes it: a shell less to start. Its limit of file locks is its mark
 * (containment/marks.ts); dash calls it -w, bash -x. A subshell does not know its own pid but by /proc.
 */
const launcher = (ready: string): string => `
trap : HUP INT QUIT TERM USR1 USR2
locks=$1
shift
(
  ulimit -w "$locks" || ulimit -x "$locks"
  read -r pid rest </proc/self/stat || pid=$(exec sh -c 'echo "$PPID"')
  echo "pid $pid" >&4
  echo "pid $pid" >&3
  exec 3>&- 4>&-
  ${ready}
  exec "$@"
)
echo "exit $?" >&4`;

const SPEAK = 'exec 2>&5 5>&-';
const AT_ONCE = launcher(SPEAK);
const LATER = launcher('');
/** What stands by is the agent's process in all but its program. Without a word until the host ends, it ends. */
const WAITING = `read -r word <&6 || exit 0; exec 6<&-; ${SPEAK}; exec "$@"`;

export interface Launch {
  argv: readonly [string, ...string[]];
  env: Record<string, string>;
  cwd: string;
  /** Its limit of file locks: a number of its own, by which its processes are found. */
  locks: string;
  user: RunAs | undefined;
  /** Where what it prints is added. */
  output: string;
  fifo: string;
  /** Is made anew. */
  status: string;
}

export interface Helpers {
  /** Absolute: the agent's PATH is not asked for them. */
  setsid: string | undefined;
  setpriv: string | undefined;
}

/**
 * Starts an agent that outlives this process. The caller reads the FIFO already.
 * @throws Error when the launcher itself cannot be started (no such folder, no process to be had).
 */
export async function launch(what: Launch, helpers: Helpers): Promise<void> {
  (await spawnLauncher(AT_ONCE, what, helpers, what.argv, [])).unref();
}

/** A start that is made ready: nothing but the agent's program is missing. */
export interface Ready {
  go(): void;
  /** Resolves when nothing of it is left. After `go` it does nothing. */
  dismiss(): Promise<void>;
}

/** As `launch`, but for its last step, which `go` does. @throws Error as `launch` does */
export async function makeReady(what: Launch, helpers: Helpers): Promise<Ready> {
  const child = await spawnLauncher(
    LATER,
    what,
    helpers,
    ['/bin/sh', '-c', WAITING, 'vareon-agent', ...what.argv],
    ['pipe'],
  );
  const word = (child.stdio as readonly unknown[])[6] as Socket; // more of them than the type has; a pipe is one
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  word.on('error', () => {}); // it is gone: its FIFO tells
  word.unref();
  child.unref();
  let isDone = false;
  return {
    go() {
      isDone = true;
      word.end('go\n');
    },
    async dismiss() {
      if (isDone) return;
      isDone = true;
      word.destroy();
      child.ref();
      await gone;
    },
  };
}

async function spawnLauncher(
  script: string,
  what: Launch,
  { setsid, setpriv }: Helpers,
  argv: readonly string[],
  more: 'pipe'[],
): Promise<ChildProcess> {
  const files = [
    openSync('/dev/null', 'r+'),
    openSync(what.output, 'a', 0o600),
    openSync(what.fifo, 'r+'),
    openSync(what.status, 'w', 0o600),
  ];
  const [nothing, output, fifo, status] = files;
  try {
    const quiet = setpriv ? [setpriv, '--no-new-privs', '--'] : [];
    const child = spawn(
      '/bin/sh',
      ['-c', script, 'vareon-agent', what.locks, ...(setsid ? [setsid] : []), ...quiet, ...argv],
      {
        env: what.env,
        cwd: what.cwd,
        stdio: [nothing, output, nothing, fifo, status, output, ...more],
        detached: true,
        ...(what.user ? { uid: what.user.uid, gid: what.user.gid } : {}),
      },
    );
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    return child;
  } finally {
    for (const file of files) closeSync(file);
  }
}
