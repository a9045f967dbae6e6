import { ApplicationFailure } from '@temporalio/activity';
import type { CodeResult, CodeStep, LogChunk, McpStep } from '../../../domain/neosyntis/code.ts';
import type { Containers } from '../../../drivers/containers/containers.ts';
import type {
  OutputPiece,
  Processes,
  RunOptions as ProcessOptions,
  ProcessResult,
} from '../../../drivers/processes/port.ts';
import type { Masker } from '../../../drivers/secrets/mask.ts';
import { maskedFailure } from '../../masked-failure.ts';
import { aroundOf, chunkOf, insideOf } from './code-process.ts';
import { resultOf } from './code-result.ts';
import type { RunOptions } from './holds.ts';
import { converse } from './mcp.ts';
import { answered, asUnanswered } from './mcp-result.ts';
import type { StepOpener } from './sealed-step.ts';

export interface StepRunnerDeps {
  processes: Processes;
  /** Nothing on a host without docker and podman. */
  containers?: Pick<Containers, 'run'> | undefined;
  hostName: string;
  /** Stores a large result while the step still beats: the SDK's own storing of it then finds it there. */
  keepAhead?: (runId: string, result: CodeResult) => Promise<void>;
  /** Sends a chunk over the bus, which may lose it: it can be read from the spool, too. */
  publishLog: (chunk: LogChunk) => void;
  /** Puts secrets into a step. */
  open: StepOpener;
  log: { warn(details: object, message: string): void };
}

/** How a step ended, for all who stay with it. */
export type Ended = { told: CodeResult } | { untold: 'cancelled' | 'ran_before' };

/** Runs steps on this host, with their secrets put in and hidden in all that is told of them. */
export function createStepRunner({
  processes,
  containers,
  hostName,
  keepAhead,
  publishLog,
  open,
  log,
}: StepRunnerDeps) {
  return { runNow, toldOf };

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
}

/** Its streams were masked as they came; this is for what two of them make together, and for other texts. */
const masked = (result: CodeResult, masker: Masker): CodeResult =>
  result.outcome === 'ok'
    ? { ...result, output: typeof result.output === 'number' ? result.output : masker.json(result.output) }
    : { ...result, problem: { ...result.problem, detail: masker.text(result.problem.detail ?? '') } };
