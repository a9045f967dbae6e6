import { sleep } from '@temporalio/workflow';
import type { SecretActivities } from '../../../activities/platform/neosyntis/secrets.ts';
import { type CodeStep, stepId } from '../../../domain/neosyntis/code.ts';
import { standardProblem } from '../../../domain/neosyntis/problems.ts';
import type { Wanted } from '../../../domain/system/placement.ts';
import { type Lost, Refused, runCodeOn } from './code-activity.ts';
import type { Place } from './place.ts';
import { failure, TaskFailure } from './problem.ts';
import type { Outcome } from './scope.ts';

/** A step without what its placing adds; distributed over the kinds of step. */
type Without<T> = T extends unknown ? Omit<T, 'step' | 'generation'> : never;

export interface Placing {
  wanted: Wanted;
  /** The step may be given to a host again when one was lost with it. */
  moves: boolean;
  /** Asked before each further attempt for its number, with what became of the one before. */
  again(lost: TaskFailure): number;
  /** Told how long it waited for a host to be there. */
  waited(ms: number): void;
}

export type CodeRunner = (step: Without<CodeStep>, placing: Placing) => Promise<Outcome>;

/** A step that takes its hosts down with it does not take down all of them. */
const MOST_ATTEMPTS = 5;

/** An earlier holder of a host's name that still asks for work stops at the first that it must refuse. */
const MOST_REFUSALS = 20;
const REFUSED_PAUSE_MS = 500;

/**
 * Runs code on a worker host. A host that cannot be seen for a while is asked what became of the step. What it did
 * cannot be known when the host died in the middle, so it is not tried again, and says so; unless the step said that
 * it may move, and then within its own time limit.
 */
export function createCodeRunner(place: Place, grantSecrets: SecretActivities['grantSecrets']): CodeRunner {
  return async (given, { wanted, moves, again, waited }) => {
    const endsAt = Date.now() + given.timeoutMs;
    let { attempt } = given;
    for (let tries = 1, lost: Lost | undefined; ; tries++) {
      const leftMs = endsAt - Date.now();
      if (lost && (!moves || tries > MOST_ATTEMPTS || leftMs < 1_000)) throw unknown(lost, tries - 1);
      if (lost) attempt = again(lossOf(lost));
      const timeoutMs = lost ? leftMs : given.timeoutMs;
      const ended = await runOnce({ ...given, timeoutMs, attempt }, { wanted, moves, waited });
      if (!('lostHost' in ended)) return ended;
      lost = ended;
    }
  };

  /** One attempt. A host whose name has another holder by now refuses and runs nothing: the step is placed anew. */
  async function runOnce(
    given: Attempt,
    { wanted, moves, waited }: Omit<Placing, 'again'>,
  ): Promise<Outcome | Lost> {
    const { runId, path, iteration, attempt } = given;
    for (let refusals = 0; ; refusals++) {
      try {
        return await runOn(await place(runId, wanted, { path, iteration, attempt }, waited), given, moves);
      } catch (error) {
        if (!(error instanceof Refused) || refusals === MOST_REFUSALS) throw error;
        await sleep(REFUSED_PAUSE_MS);
      }
    }
  }

  async function runOn(
    { host, generation }: { host: string; generation: number },
    given: Attempt,
    moves: boolean,
  ): Promise<Outcome | Lost> {
    const { runId, path, iteration } = given;
    if (given.sealed) await grantSecrets({ runId, path, iteration, host, at: new Date().toISOString() });
    const step = stepId(runId, path, iteration, given.attempt);
    const result = await runCodeOn(host, { ...given, step, generation }, !moves);
    if ('lostHost' in result) return result;
    const { queueMs, stdoutBytes, stderrBytes } = result;
    const logs = { host, stdoutBytes, stderrBytes, ...(queueMs === undefined ? {} : { queueMs }) };
    if (result.outcome === 'problem') throw new TaskFailure(result.problem, false, logs);
    return { output: result.output, ...logs };
  }
}

type Attempt = Without<CodeStep>;

const lossOf = ({ lostHost }: Lost): TaskFailure =>
  new TaskFailure(
    standardProblem(
      'runtime',
      `Host ${lostHost} stopped while the step ran. Whether it had its effect is unknown.`,
    ),
    true,
    { host: lostHost },
  );

const unknown = ({ lostHost }: Lost, attempts: number): TaskFailure => {
  const tried = attempts === 1 ? '' : ` It was the last of ${attempts} attempts.`;
  const found = failure(
    'runtime',
    `Host ${lostHost} stopped while the step ran. Whether it had its effect is unknown, and it is not run again.${tried}`,
    true,
  );
  return new TaskFailure(found.problem, true, { host: lostHost });
};
