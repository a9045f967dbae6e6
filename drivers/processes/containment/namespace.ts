import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { pidNamespace, processTable, sendSignal } from '../proc.ts';
import { type Command, type Containment, exitOf, spawned, type Tree, until } from './containment.ts';

/**
 * A Linux PID namespace (pid_namespaces(7)) for each command: when its first process dies the kernel kills all
 * others, whatever they did to get away. The first process, the keeper, reaps orphans and sends SIGTERM to all
 * when it reads a line. It dies with this host: by its parent-death signal, and at the end of its input.
 */
const KEEPER = `
exec 3<&0 </dev/null
while read -r _; do kill -TERM -1; kill -CONT -1; done <&3 &
exec 3<&-
echo ready
exec >/dev/null 2>&1
wait`;

/**
 * Runs as the user already. A command's variables travel under another name until here, so that they mean
 * nothing to the programs before, of which some run as root.
 */
const launcher = (names: string[]): string =>
  [
    'cd -- "$0" || exit 126',
    ...names.map((name) => `export ${name}="$VAREON_SET_${name}"`),
    ...names.map((name) => `unset VAREON_SET_${name}`),
    'unset OLDPWD',
    'exec "$@"',
  ].join('\n');

export interface NamespaceOptions {
  /** A /proc of its own, which shows the command only its own processes. */
  ownProc: boolean;
  /** For hosts that are not root: the namespace is made inside a user namespace. */
  unprivileged: boolean;
  path: string;
}

export function createNamespaceContainment({ ownProc, unprivileged, path }: NamespaceOptions): Containment {
  const env = { PATH: path, LANG: 'C' };
  const make = [
    ...(unprivileged ? ['--user', '--map-current-user'] : []),
    ...['--pid', '--fork', '--kill-child=KILL'],
    ...(ownProc ? ['--mount-proc'] : []),
  ];
  const enter = [
    ...(unprivileged ? ['--user', '--preserve-credentials'] : []),
    '--pid',
    ...(ownProc ? ['--mount'] : []),
  ];

  async function start({ argv, env: wanted, cwd, stdio, user, note }: Command): Promise<Tree> {
    const keeper = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', ...make, '/bin/sh', '-c', KEEPER], {
      env,
      cwd: '/',
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
    });
    const keeperExited = exitOf(keeper);
    const init = await initOf(keeper, keeperExited);
    const drop = user ? ['--reuid', `${user.uid}`, '--regid', `${user.gid}`, '--clear-groups'] : [];
    try {
      await note({ kind: 'namespace', pid: init.pid, start: init.start });
      const child = spawn(
        'nsenter',
        [
          ...['--target', `${init.pid}`, ...enter, '--', 'setpriv', ...drop, '--no-new-privs', '--'],
          ...['/bin/sh', '-c', launcher(Object.keys(wanted)), cwd, ...argv],
        ],
        {
          env: {
            ...env,
            ...Object.fromEntries(Object.entries(wanted).map(([k, v]) => [`VAREON_SET_${k}`, v])),
          },
          cwd: '/',
          stdio,
          detached: true,
        },
      );
      const exited = exitOf(child);
      const pid = await spawned(child);
      return {
        pid,
        exited,
        terminate: () => keeper.stdin?.write('\n'),
        isAlive: () => isInhabited(init),
        kill: () => endNamespace(init, keeper, child),
      };
    } catch (error) {
      await endNamespace(init, keeper);
      throw error;
    }
  }

  return { name: unprivileged ? 'user and PID namespace' : 'PID namespace', start };
}

interface Init {
  pid: number;
  start: number;
  namespace: string;
  /** The keeper itself and the subshell that reads for it. */
  own: number[];
}

/** Awaits the keeper's word, and finds it: unshare's only child. */
async function initOf(keeper: ChildProcess, exited: Promise<unknown>): Promise<Init> {
  const parent = await spawned(keeper);
  keeper.stdin?.on('error', () => {}); // EPIPE: it is gone, which its exit tells
  const isReady = await Promise.race([
    new Promise((resolve) => keeper.stdout?.once('data', () => resolve(true))),
    exited.then(() => false),
  ]);
  const table = processTable();
  const first = table.find((entry) => entry.parent === parent);
  const namespace = first && pidNamespace(first.pid);
  if (isReady && first && namespace) {
    const readers = table.filter((entry) => entry.parent === first.pid).map(({ pid }) => pid);
    return { pid: first.pid, start: first.start, namespace, own: [first.pid, ...readers] };
  }
  keeper.kill('SIGKILL');
  throw new Error('no PID namespace could be made');
}

/** Whether the namespace holds more than its keeper. */
const isInhabited = ({ namespace, own }: Init): boolean =>
  processTable().some(({ pid }) => !own.includes(pid) && pidNamespace(pid) === namespace);

/**
 * The keeper's parent waits until the kernel has ended everything in the namespace. That waits for nsenter to
 * reap the command; a command that stopped itself has stopped nsenter too, and may do so again until it is dead.
 */
async function endNamespace(init: Init, keeper: ChildProcess, child?: ChildProcess): Promise<void> {
  sendSignal(init.pid, 'SIGKILL');
  const gone = hasExited(keeper) ? Promise.resolve(true) : once(keeper, 'exit').then(() => true);
  const looked = until(() => {
    if (child && !hasExited(child)) child.kill('SIGCONT');
    return hasExited(keeper);
  }, 5_000);
  const isGone = await Promise.race([gone, looked]);
  if (!isGone) throw new Error(`the PID namespace ${init.namespace} does not end`);
}

const hasExited = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode !== null || signalCode !== null;
