import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import {
  type CodeResult,
  type CodeStep,
  type ContainerStep,
  codeFailures,
  type LogChunk,
  type LogRange,
  type McpStep,
  SETTLED_WITHIN_MS,
  type SettledStep,
  SUPERSEDED,
  stepId,
} from '../../../domain/neosyntis/code.ts';
import type { Containers } from '../../../drivers/containers/containers.ts';
import type {
  OutputPiece,
  Processes,
  RunOptions as ProcessOptions,
  ProcessResult,
  ProcessSpec,
} from '../../../drivers/processes/port.ts';
import type { Masker } from '../../../drivers/secrets/mask.ts';
import { maskedFailure } from '../../masked-failure.ts';
import { queuedMs } from '../../queued.ts';
import { resultOf } from './code-result.ts';
import { createHolds, type HoldsOptions, type RunOptions } from './holds.ts';
import { converse } from './mcp.ts';
import { answered, asUnanswered } from './mcp-result.ts';
import type { StepOpener } from './sealed-step.ts';

export interface CodeDeps extends HoldsOptions {
  processes: Processes;
  /** Nothing on a host without docker and podman. */
  containers?: Pick<Containers, 'run'> | undefined;
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
  /** How long this life of the host has lasted. */
  uptimeMs?: () => number;
}

/** How a step ended, for all who stay with it. */
type Ended = { told: CodeResult } | { untold: 'cancelled' | 'ran_before' };

export type HostCode = ReturnType<typeof createCodeActivities>;

/** What runs ask for by Temporal. */
export type CodeActivities = Pick<HostCode, 'runCode' | 'settleCode'>;

const KILL_GRACE_MS = 2_000;
const OUTPUT_LIMIT_BYTES = 10 * 1024 * 1024;
const LOG_READ_BYTES = 256 * 1024;
const PIECE_BYTES = 32 * 1024;
/** Payloads go by reference from 256 KiB on. JSON has at most six times as many bytes as the text in it. */
const ALIKE_FROM_BYTES = 240 * 1024;

/** Code of users on this host. Not idempotent: callers set maximumAttempts to 1 and heartbeatTimeout to seconds. */
export function createCodeActivities({
  processes,
  containers,
  hostName,
  generation = 0,
  onSuperseded,
  keepAhead,
  publishLog,
  open,
  log,
  uptimeMs = () => process.uptime() * 1000,
  ...holding
}: CodeDeps) {
  const holds = createHolds<Ended>(holding);

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

  /** Everything of a step, which heartbeats meanwhile. */
  async function runNow(step: CodeStep, options: RunOptions): Promise<Ended> {
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
    const opened = await open(step);
    if ('problem' in opened) return { told: { ...opened.problem, host: hostName } };
    const { masker, release } = opened;
    try {
      const around = { ...aroundOf(step), ...(masker ? { filter: masker.stream } : {}) };
      const run = { ...options, onOutput };
      if (opened.step.kind === 'mcp') return await talk(opened.step, around, run, masker);
      return await toldOf(step, await start(opened.step, around, run), masker);
    } catch (error) {
      throw masker ? maskedFailure(error, masker) : error;
    } finally {
      release();
    }
  }

  async function start(
    step: Exclude<CodeStep, McpStep>,
    around: ReturnType<typeof aroundOf>,
    options: ProcessOptions,
  ): Promise<ProcessResult> {
    if (step.kind !== 'container') return processes.run({ ...around, ...insideOf(step) }, options);
    if (!containers)
      throw ApplicationFailure.nonRetryable(`Host ${hostName} has no docker or podman any more.`);
    return containers.run(step, around, options);
  }

  /** A server that speaks the Model Context Protocol by its streams, and what it answered. */
  async function talk(
    step: McpStep,
    around: ReturnType<typeof aroundOf>,
    options: ProcessOptions,
    masker?: Masker,
  ): Promise<Ended> {
    const argv: [string, ...string[]] = [step.command, ...step.arguments];
    const { ended, answer } = await converse(step, options, (own) =>
      processes.run({ ...around, argv, env: step.environment, talks: true }, { ...options, ...own }),
    );
    if (!answer) {
      const told = await toldOf(step, ended, masker);
      return 'told' in told ? { told: asUnanswered(told.told) } : told;
    }
    const told = answered(answer, { host: hostName, ...ended });
    const hidden = masker ? masked(told, masker) : told;
    await keepAhead?.(step.runId, hidden);
    return { told: hidden };
  }

  async function toldOf(step: CodeStep, result: ProcessResult, masker?: Masker): Promise<Ended> {
    const { end } = result;
    if (end.kind === 'cancelled') return { untold: 'cancelled' };
    if (end.kind === 'not_started' && end.cause === 'ran_before') return { untold: 'ran_before' };
    const plain = await resultOf(step, result, { host: hostName, processes });
    const told = masker ? masked(plain, masker) : plain;
    await keepAhead?.(step.runId, told);
    return { told };
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

const aroundOf = (step: CodeStep) => ({
  id: step.step,
  platformEnv: { VAREON_RUN_ID: step.runId },
  timeoutMs: step.timeoutMs,
  killGraceMs: KILL_GRACE_MS,
  outputLimitBytes: OUTPUT_LIMIT_BYTES,
});

type Program = Exclude<CodeStep, ContainerStep | McpStep>;

const insideOf = (step: Program): Pick<ProcessSpec, 'argv' | 'files' | 'env' | 'stdin'> => ({
  ...programOf(step),
  env: step.environment,
  ...(step.stdin === undefined ? {} : { stdin: step.stdin }),
});

/** Code is never put together with values: arguments stay arguments, `$1` in a shell, argv[2] in a script. */
function programOf(step: Program): Pick<ProcessSpec, 'argv' | 'files'> {
  if (step.kind === 'shell') return { argv: ['/bin/sh', '-c', step.command, 'sh', ...step.arguments] };
  // As .js without a package.json, Node tells by the syntax whether it is a module.
  const [program, file] =
    step.language === 'python' ? ['python3', 'script.py'] : [process.execPath, 'script.js'];
  return { argv: [program, file, ...step.arguments], files: [{ name: file, text: step.code }] };
}
