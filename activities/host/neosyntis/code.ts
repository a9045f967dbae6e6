import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import {
  type CodeResult,
  type CodeStep,
  codeFailures,
  type LogChunk,
  type LogRange,
  SETTLED_WITHIN_MS,
  type SettledStep,
  SUPERSEDED,
  stepId,
} from '../../../domain/neosyntis/code.ts';
import { queuedMs } from '../../queued.ts';
import { chunkOf } from './code-process.ts';
import { createStepRunner, type Ended, type StepRunnerDeps } from './code-runner.ts';
import { createHolds, type HoldsOptions } from './holds.ts';

export interface CodeDeps extends HoldsOptions, StepRunnerDeps {
  /** Of the lease that this process holds on the host's name. */
  generation?: number;
  /** A step came that was placed with a later holder of the name. */
  onSuperseded?: () => void;
  /** How long this life of the host has lasted. */
  uptimeMs?: () => number;
}

export type HostCode = ReturnType<typeof createCodeActivities>;

/** What runs ask for by Temporal. */
export type CodeActivities = Pick<HostCode, 'runCode' | 'settleCode'>;

const LOG_READ_BYTES = 256 * 1024;
const PIECE_BYTES = 32 * 1024;
/** Payloads go by reference from 256 KiB on. JSON has at most six times as many bytes as the text in it. */
const ALIKE_FROM_BYTES = 240 * 1024;

/** Code of users on this host. Not idempotent: callers set maximumAttempts to 1 and heartbeatTimeout to seconds. */
export function createCodeActivities({
  generation = 0,
  onSuperseded,
  uptimeMs = () => process.uptime() * 1000,
  ...deps
}: CodeDeps) {
  const { processes, hostName } = deps;
  const holds = createHolds<Ended>(deps);
  const { runNow, toldOf } = createStepRunner(deps);

  /**
   * Runs a step to its end; what the code does wrong is data in the result.
   * @throws CancelledFailure once everything is ended; ApplicationFailure of a type in `codeFailures`, not
   *   retryable, when nobody knows what the step did.
   */
  async function runCode(step: CodeStep): Promise<CodeResult> {
    refuseForSuccessor(step);
    if (Context.current().info.attempt > 1) throw ranBefore(step);
    const queued = queuedMs();
    const result = answer(step, await holds.begin(step.step, (options) => runNow(step, options)));
    return isAlike(result) ? result : { ...result, ...queued };
  }

  /** @throws when the step was placed with a later holder of this host's name. */
  function refuseForSuccessor(step: CodeStep): void {
    if (generation === 0 || (step.generation ?? 0) <= generation) return;
    onSuperseded?.();
    throw superseded(hostName);
  }

  /**
   * Says what became of a step whose `runCode` Temporal lost sight of: stays with it when it still runs, and reads
   * how it ended when it has. One that never came to this host, which was there all the time, is run now. It may be
   * asked again and again: a step of one id is started once.
   * @throws as `runCode` does; `ranBefore` when a host died in the middle and nobody knows.
   */
  async function settleCode({ step, wasSeen, scheduledAtMs }: SettledStep): Promise<CodeResult> {
    refuseForSuccessor(step);
    const held = await holds.join(step.step);
    if (held) return answer(step, held);
    const outcome = await processes.outcome(step.step);
    // What a server said is known only to whom it said it.
    if (outcome && step.kind === 'mcp') throw ranBefore(step);
    if (outcome) return answer(step, await toldOf(step, outcome));
    const { currentAttemptScheduledTimestampMs: askedAtMs } = Context.current().info;
    // Both times are Temporal's, so clocks need not agree; an activity is not older than the limit when it comes.
    const wasHere = uptimeMs() > askedAtMs - scheduledAtMs + SETTLED_WITHIN_MS;
    if (wasSeen || !wasHere) throw ranBefore(step);
    return answer(step, await holds.begin(step.step, (options) => runNow(step, options)));
  }

  function answer(step: CodeStep, ended: Ended): CodeResult {
    if ('told' in ended) return ended.told;
    throw ended.untold === 'cancelled' ? stopped(Context.current().cancellationSignal) : ranBefore(step);
  }

  /** What a stream holds from a byte on, at most 256 KiB of it; empty where there is nothing. */
  async function readLog({
    runId,
    path,
    iteration,
    attempt = 1,
    stream,
    from,
  }: LogRange): Promise<LogChunk[]> {
    const id = stepId(runId, path, iteration, attempt);
    const chunks: LogChunk[] = [];
    for (let offset = from; offset < from + LOG_READ_BYTES; ) {
      const piece = await processes.readSpool(id, stream, offset, offset + PIECE_BYTES);
      if (piece.bytes === 0) break;
      chunks.push(chunkOf({ runId, path, iteration, attempt }, piece));
      offset = piece.offset + piece.bytes;
    }
    return chunks;
  }

  return { runCode, settleCode, readLog, held: holds.count };
}

/** One that goes by reference is kept once a run, however often it comes: nothing in it may differ each time. */
const isAlike = (result: CodeResult): boolean =>
  result.stdoutBytes + result.stderrBytes >= ALIKE_FROM_BYTES / 6 &&
  Buffer.byteLength(JSON.stringify(result)) >= ALIKE_FROM_BYTES;

const ranBefore = ({ step }: CodeStep): ApplicationFailure =>
  ApplicationFailure.nonRetryable(
    `The step ${step} was started before and is not run again; what it did is unknown.`,
    codeFailures.ranBefore,
  );

const superseded = (hostName: string): ApplicationFailure =>
  ApplicationFailure.nonRetryable(
    `Host ${hostName} has another holder of its name by now; this one ran nothing.`,
    SUPERSEDED,
  );

/** Everything of the step is ended; why decides what the run is told. */
function stopped({ reason }: AbortSignal): Error {
  if (reason instanceof CancelledFailure && reason.message !== 'WORKER_SHUTDOWN') return reason;
  return ApplicationFailure.nonRetryable(
    'The host stopped while the step ran, and ended it; what it did until then is unknown.',
    codeFailures.hostShutdown,
  );
}
