import { join } from 'node:path';
import { attend, type Ended } from './attend.ts';
import type { Containment, Mark } from './containment/containment.ts';
import { createGroupContainment } from './containment/group.ts';
import { killMarked } from './containment/marks.ts';
import { buildEnvironment, checkEnvironment, type HostEnvironment } from './environment.ts';
import { createFolders } from './folders.ts';
import { readOutcome, writeOutcome } from './outcome.ts';
import { createPipes } from './pipes.ts';
import type { NotStartedCause, Processes, ProcessResult, ProcessSpec, RunOptions } from './port.ts';
import { findProgram, lendNode, reachablePath } from './programs.ts';
import { createRecords } from './records.ts';
import type { RunAs } from './run-as.ts';
import { createSpool, isSafeId, pruneSpools, readSpool, type Spool } from './spool.ts';
import { createStop } from './stop.ts';

export interface ProcessesOptions {
  /** The host's own data folder (0700). */
  dataDir: string;
  hostName: string;
  containment: Containment;
  /** Required when the host runs as root. */
  user: RunAs | undefined;
  hostEnvironment: HostEnvironment;
  /** For what hinders nobody but is to be looked at. */
  warn: (message: string, error: unknown) => void;
}

export async function createProcesses(options: ProcessesOptions): Promise<Processes> {
  const { dataDir, hostName, containment, user, warn } = options;
  if (process.getuid?.() === 0 && !user)
    throw new Error('code does not run as root: give the user to run it as');
  const spools = join(dataDir, 'spool');
  const records = await createRecords(join(dataDir, 'running'));
  const folders = createFolders(hostName, dataDir, user);
  await folders.root();
  const hostEnvironment = {
    ...options.hostEnvironment,
    PATH: await reachablePath(options.hostEnvironment.PATH, user),
  };
  const running = new Set<string>();
  /** The host's own programs need what a namespace or `no_new_privs` would take from them. */
  const outside = createGroupContainment({ prlimit: false, setpriv: false });
  let node: Promise<string> | undefined;

  /** The argv with its program's absolute path; this Node is lent where the user cannot reach it. */
  async function resolveArgv({
    argv: [program, ...rest],
    env,
    asHost,
  }: ProcessSpec): Promise<[string, ...string[]] | undefined> {
    if (program === process.execPath) {
      node ??= lendNode(program, await folders.root(), user);
      return [await node, ...rest];
    }
    const found = await findProgram(program, env.PATH ?? hostEnvironment.PATH, asHost ? undefined : user);
    return found === undefined ? undefined : [found, ...rest];
  }

  async function start(spec: ProcessSpec, folder: string, argv: readonly [string, ...string[]]) {
    const pipes = await createPipes(await folders.root(), spec.id, spec, user);
    try {
      const env = buildEnvironment(hostEnvironment, spec, folder);
      const note = (mark: Mark) => records.write(spec.id, mark);
      const tree = await (spec.asHost ? outside : containment).start({
        id: spec.id,
        argv,
        env,
        cwd: folder,
        stdio: pipes.stdio,
        user: spec.asHost ? undefined : user,
        note,
      });
      return { tree, pipes };
    } catch (error) {
      pipes.stdout.destroy();
      pipes.stderr.destroy();
      pipes.stdin?.destroy();
      throw error;
    } finally {
      await pipes.closeTheirs();
    }
  }

  async function runInFolder(
    spec: ProcessSpec,
    { signal, onOutput, onStarted, onTalk }: RunOptions,
    spool: Spool,
  ): Promise<Ended> {
    const argv = await resolveArgv(spec);
    if (!argv) return notStarted('missing_program', missing(spec.argv[0], user));
    const folder = await folders.make(spec.id, spec.files ?? []);
    const stop = createStop(signal, spec.timeoutMs);
    try {
      if (stop.reason) return { end: stop.reason, stdoutBytes: 0, stderrBytes: 0 };
      const started = await start(spec, folder, argv).catch((error: Error) =>
        notStarted('failed', error.message),
      );
      if ('end' in started) return started;
      onStarted?.(started.tree.pid);
      const { stdin } = started.pipes;
      // One that does not listen any more is told by its end.
      stdin?.on('error', () => {});
      if (stdin) onTalk?.(stdin);
      try {
        return await attend(started, { spec, onOutput, spool, stop });
      } finally {
        stdin?.destroy();
      }
    } finally {
      stop.release();
      await folders
        .remove(folder)
        .catch((error) => warn(`the working folder ${folder} cannot be removed`, error));
      await records.remove(spec.id);
    }
  }

  async function run(spec: ProcessSpec, run: RunOptions): Promise<ProcessResult> {
    const startedAt = new Date();
    const finish = (ended: Ended): ProcessResult => ({ ...ended, startedAt, endedAt: new Date() });
    const wrong = checkSpec(spec);
    if (wrong) return finish(notStarted('refused', wrong));
    const before = notStarted('ran_before', `${spec.id} was started on this host before`);
    if (running.has(spec.id)) return finish(before);
    running.add(spec.id);
    let spool: Spool | undefined;
    try {
      spool = await createSpool(spools, spec.id);
      if (!spool) return finish(before);
      const result = finish(await runInFolder(spec, run, spool));
      await writeOutcome(spools, spec.id, result).catch((error) =>
        warn(`how ${spec.id} ended cannot be kept`, error),
      );
      return result;
    } finally {
      await spool?.close();
      running.delete(spec.id);
    }
  }

  return {
    containment: containment.name,
    run,
    readSpool: (id, stream, from, to) => readSpool(spools, id, stream, from, to),
    outcome: (id) => readOutcome(spools, id),
    pruneSpools: (olderThanMs) => pruneSpools(spools, olderThanMs, (id) => running.has(id)),
    async sweep() {
      let ended = 0;
      for (const { id, mark } of await records.all()) {
        if (mark && (await killMarked(mark))) ended += 1;
        await records.remove(id);
      }
      await folders.clear();
      return ended;
    },
    close: () => folders.clear(),
  };
}

const notStarted = (cause: NotStartedCause, reason: string): Ended => ({
  end: { kind: 'not_started', cause, reason },
  stdoutBytes: 0,
  stderrBytes: 0,
});

const missing = (program: string, user: RunAs | undefined): string =>
  `${program} is not installed on this host${user ? `, or the user ${user.name} cannot reach it` : ''}`;

/** @returns what nobody could run, or nothing. */
function checkSpec({ id, argv, env, files }: ProcessSpec): string | undefined {
  if (!isSafeId(id)) return `${JSON.stringify(id.slice(0, 100))} is not an id that can name a folder`;
  if (argv.some((argument) => argument.includes('\0')))
    return 'the command or its arguments hold a NUL character';
  const odd = files?.find(({ name }) => !isSafeId(name));
  if (odd) return `${JSON.stringify(odd.name.slice(0, 100))} is not a plain file name`;
  return checkEnvironment(env);
}
