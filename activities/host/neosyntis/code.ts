import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import {
  type CodeResult,
  type CodeStep,
  codeFailures,
  type LogChunk,
  type LogRange,
  SUPERSEDED,
  stepId,
} from '../../../domain/neosyntis/code.ts';
import type { OutputPiece, Processes, ProcessSpec } from '../../../drivers/processes/port.ts';
import type { Masker } from '../../../drivers/secrets/mask.ts';
import { maskedFailure } from '../../masked-failure.ts';
import { resultOf } from './code-result.ts';
import type { StepOpener } from './sealed-step.ts';

export interface CodeDeps {
  processes: Processes;
  hostName: string;
  /** Of the lease that this process holds on the host's name. */
  generation?: number;
  /** A step came that was placed with a later holder of the name. */
  onSuperseded?: () => void;
  /** Stores a large result while the step still beats: the SDK's own storing of it then finds it there. */
  keepAhead?: (runId: string, result: CodeResult) => Promise<void>;
  /** Sends a chunk over the bus, which may lose it: readLog() has it too. */
  publishLog: (chunk: LogChunk) => void;
  /** Puts secrets into a step. */
  open: StepOpener;
  log: { warn(details: object, message: string): void };
}

export type CodeActivities = ReturnType<typeof createCodeActivities>;

const HEARTBEAT_MS = 150;
const KILL_GRACE_MS = 2_000;
const OUTPUT_LIMIT_BYTES = 10 * 1024 * 1024;
const LOG_READ_BYTES = 256 * 1024;
const PIECE_BYTES = 32 * 1024;

/** Code of users on this host. Not idempotent: callers set maximumAttempts to 1 and heartbeatTimeout to seconds. */
export function createCodeActivities({
  processes,
  hostName,
  generation = 0,
  onSuperseded,
  keepAhead,
  publishLog,
  open,
  log,
}: CodeDeps) {
  /**
   * Runs a step to its end; what the code does wrong is data in the result.
   * @throws CancelledFailure once everything is ended; ApplicationFailure of a type in `codeFailures`, not
   *   retryable, when nobody knows what the step did.
   */
  async function runCode(step: CodeStep): Promise<CodeResult> {
    const context = Context.current();
    if (generation > 0 && (step.generation ?? 0) > generation) {
      onSuperseded?.();
      throw superseded(hostName);
    }
    if (context.info.attempt > 1) throw ranBefore(step);
    let pid: number | undefined;
    const beat = setInterval(() => context.heartbeat({ pid }), HEARTBEAT_MS);
    const onOutput = (piece: OutputPiece): void => {
      try {
        publishLog(chunkOf(step, piece));
      } catch (error) {
        log.warn(
          { err: error, runId: step.runId },
          'a log chunk was not sent; it can be read from the spool',
        );
      }
    };
    try {
      const signal = context.cancellationSignal;
      const opened = await open(step);
      if ('problem' in opened) return { ...opened.problem, host: hostName };
      const { masker, release } = opened;
      try {
        const result = await processes.run(
          { ...specOf(opened.step), ...(masker ? { filter: masker.stream } : {}) },
          { signal, onOutput, onStarted: (started) => (pid = started) },
        );
        const { end } = result;
        if (end.kind === 'cancelled') throw stopped(signal);
        if (end.kind === 'not_started' && end.cause === 'ran_before') throw ranBefore(step);
        const told = await resultOf(step, result, { host: hostName, processes });
        const shown = masker ? masked(told, masker) : told;
        await keepAhead?.(step.runId, shown);
        return shown;
      } catch (error) {
        throw masker ? maskedFailure(error, masker) : error;
      } finally {
        release();
      }
    } finally {
      clearInterval(beat);
    }
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

  return { runCode, readLog };
}

/** Its streams were masked as they came; this is for what two of them make together, and for other texts. */
const masked = (result: CodeResult, masker: Masker): CodeResult =>
  result.outcome === 'ok'
    ? { ...result, output: typeof result.output === 'number' ? result.output : masker.json(result.output) }
    : { ...result, problem: { ...result.problem, detail: masker.text(result.problem.detail ?? '') } };

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

const chunkOf = (
  { runId, path, iteration, attempt = 1 }: Pick<CodeStep, 'runId' | 'path' | 'iteration' | 'attempt'>,
  { stream, offset, bytes, text }: OutputPiece,
): LogChunk => ({
  run_id: runId,
  path,
  iteration,
  attempt,
  stream,
  offset,
  length: bytes,
  text,
  at: new Date().toISOString(),
});

const specOf = (step: CodeStep): ProcessSpec => ({
  id: step.step,
  ...programOf(step),
  env: step.environment,
  platformEnv: { VAREON_RUN_ID: step.runId },
  ...(step.stdin === undefined ? {} : { stdin: step.stdin }),
  timeoutMs: step.timeoutMs,
  killGraceMs: KILL_GRACE_MS,
  outputLimitBytes: OUTPUT_LIMIT_BYTES,
});

/** Code is never put together with values: arguments stay arguments, `$1` in a shell, argv[2] in a script. */
function programOf(step: CodeStep): Pick<ProcessSpec, 'argv' | 'files'> {
  if (step.kind === 'shell') return { argv: ['/bin/sh', '-c', step.command, 'sh', ...step.arguments] };
  // As .js without a package.json, Node tells by the syntax whether it is a module.
  const [program, file] =
    step.language === 'python' ? ['python3', 'script.py'] : [process.execPath, 'script.js'];
  return { argv: [program, file, ...step.arguments], files: [{ name: file, text: step.code }] };
}
