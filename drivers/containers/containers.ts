import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ContainerStep } from '../../domain/neosyntis/code.ts';
import { checkEnvironment } from '../processes/environment.ts';
import type { Processes, ProcessResult, ProcessSpec, RunOptions } from '../processes/port.ts';
import { brokenVariable, envFileText, labels, runArguments } from './command-line.ts';
import type { Engine } from './engine.ts';
import { createRemovals } from './removals.ts';
import { type Lent, mountsOf } from './volumes.ts';

const execute = promisify(execFile);

/** Killing and removing a container may take the engine seconds. */
const REMOVED_WITHIN_MS = 30_000;
/** What a daemon was still making when its client was ended is there by then. */
const ONCE_MORE_AFTER_MS = 3_000;
/** The engine itself failed: docker-run(1), podman-run(1). */
const ENGINE_FAILED = 125;

export interface ContainersOptions {
  engine: Engine;
  PATH: string;
  dataDir: string;
  processes: Pick<Processes, 'run'>;
  lent: Lent;
  warn: (message: string, error: unknown) => void;
}

/** What a process has besides its program. */
export type Around = Omit<ProcessSpec, 'argv' | 'env' | 'files' | 'asHost' | 'stdin'>;

export interface Containers {
  /** Runs one container to its end, with the limits of a process; it never throws for what a container does. */
  run(step: ContainerStep, around: Around, options: RunOptions): Promise<ProcessResult>;
  /** At the start of a host: removes what an earlier life left running. @returns how many. */
  sweep(): Promise<number>;
  close(): void;
}

/**
 * Containers by the command line of docker or podman, which runs as the host itself: whoever may talk to docker is root
 * there, so no code of users gets to it. The engine, not the process tree, is asked to end a container.
 */
export async function createContainers(options: ContainersOptions): Promise<Containers> {
  const { engine, PATH, dataDir, processes, lent, warn } = options;
  const folder = join(dataDir, 'containers');
  const hostId = Buffer.from(dataDir).toString('base64url');
  await mkdir(folder, { recursive: true, mode: 0o700 });

  const ask = async (...args: string[]): Promise<string[]> => {
    const { stdout } = await execute(engine.program, args, {
      env: { PATH, ...engine.env },
      timeout: REMOVED_WITHIN_MS,
    });
    return stdout.split('\n').filter((line) => line !== '');
  };
  /** By label, so that a name which somebody else's container has does no harm. */
  const find = (label: string, value: string, ...more: string[]) =>
    ask('ps', '--all', '--quiet', `--filter=label=${label}=${value}`, ...more);
  const remove = async (step: string): Promise<number> => {
    const found = await find(labels.step, step);
    if (found.length > 0) await ask('rm', '--force', '--volumes', ...found);
    return found.length;
  };
  const removals = await createRemovals(join(folder, 'removals'), async (step) => {
    await remove(step);
  });

  /** A container that was ended is removed whatever its `lifetime` says: that is about those that end by themselves. */
  async function clearUp(step: ContainerStep, { end }: ProcessResult): Promise<void> {
    const byItself = end.kind === 'exited' || end.kind === 'signalled';
    if (byItself && step.removeAfterMs === 'never') return;
    if (byItself && step.removeAfterMs !== 'never' && step.removeAfterMs > 0)
      return removals.later(step.step, step.removeAfterMs);
    await remove(step.step);
    if (byItself) return;
    setTimeout(() => {
      remove(step.step).catch((error) => warn(`a container of step ${step.step} may be left`, error));
    }, ONCE_MORE_AFTER_MS).unref();
  }

  async function run(step: ContainerStep, around: Around, runOptions: RunOptions): Promise<ProcessResult> {
    const environment = { ...step.environment, ...around.platformEnv, VAREON_STEP: step.step };
    const broken = brokenVariable(step.environment);
    const refused =
      checkEnvironment(step.environment) ??
      (broken === undefined
        ? undefined
        : `environment.${broken} has a line end, which containers do not take`);
    if (refused !== undefined) return notStarted('refused', refused);
    const mounts = await mountsOf(step.volumes, lent);
    if (typeof mounts === 'string') return notStarted('refused', mounts);
    const envFile = join(folder, `${step.step}.env`);
    await writeFile(envFile, envFileText(environment), { mode: 0o600 });
    // Files that a container with the rights of root leaves there would have them on the host, too.
    const user = mounts.length > 0 && lent.owner ? `${lent.owner.uid}:${lent.owner.gid}` : undefined;
    try {
      const result = await processes.run(
        {
          ...around,
          ...(step.stdin === undefined ? {} : { stdin: step.stdin }),
          argv: [engine.program, ...runArguments(step, { hostId, envFile, mounts, user })],
          env: {},
          platformEnv: engine.env,
          asHost: true,
        },
        runOptions,
      );
      if (result.end.kind === 'not_started') return result;
      const failed = result.end.kind === 'exited' && result.end.code === ENGINE_FAILED;
      const none = failed && (await started(step.step)) === 0;
      await clearUp(step, result);
      return none ? { ...result, end: refusal(`${engine.kind} could not start the container`) } : result;
    } finally {
      await rm(envFile, { force: true });
    }
  }

  /** How many containers of a step have run; one that could only be made has not. */
  const started = async (step: string) => {
    const all = await find(labels.step, step);
    return all.length - (await find(labels.step, step, '--filter=status=created')).length;
  };

  return {
    run,
    async sweep() {
      const left = await find(labels.host, hostId, '--filter=status=running');
      if (left.length > 0) await ask('rm', '--force', '--volumes', ...left);
      return left.length;
    },
    close: removals.close,
  };
}

const refusal = (reason: string) => ({ kind: 'not_started', cause: 'refused', reason }) as const;

const notStarted = (cause: 'refused', reason: string): ProcessResult => ({
  end: { kind: 'not_started', cause, reason },
  stdoutBytes: 0,
  stderrBytes: 0,
  startedAt: new Date(),
  endedAt: new Date(),
});
