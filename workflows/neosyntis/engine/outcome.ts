import { isCancellation, sleep } from '@temporalio/workflow';
import { approvalId } from '../../../domain/neosyntis/approvals.ts';
import type { Task } from '../../../domain/neosyntis/dsl.ts';
import { unknownPolicy } from '../../../domain/neosyntis/on-unknown.ts';
import type { StepLogs } from '../../../domain/neosyntis/projection.ts';
import type { RunProblem } from '../../../domain/neosyntis/runs.ts';
import { keywordOf } from '../tasks.ts';
import { type Frame, framed } from './frames.ts';
import { CancelledUnseen, TaskFailure } from './problem.ts';
import { type Outcome, type RunContext, type StepScope, stepPlace } from './scope.ts';
import type { StepRecord } from './step-record.ts';

/** Where nobody is asked, so often at most. */
const MOST_ATTEMPTS = 5;
const FIRST_PAUSE_MS = 1_000;

const withoutEffect = new Set([
  'do',
  'emit',
  'for',
  'fork',
  'listen',
  'raise',
  'set',
  'switch',
  'try',
  'wait',
]);

/** What is known of an attempt whose outcome is not: plain JSON. */
interface Unknown {
  problem: RunProblem;
  logs: StepLogs;
  startedAt: string;
  noticedAt: string;
}

interface OutcomeState {
  /** Nothing while the work itself was left. */
  unknown?: Unknown;
}

export interface Attempted {
  name: string;
  task: Task;
  scope: StepScope;
  step: StepRecord;
  /** @param isAgain its time limit counts from now */
  work(scope: StepScope, inside: Frame | undefined, isAgain: boolean): Promise<Outcome>;
  /** From here on the run may be left. */
  leavable(): void;
}

/**
 * Does a step's work until it is known what became of it. When nobody can know whether it had its effect, the step's
 * policy decides: a person is asked, it runs again as its next attempt, or it fails.
 */
export async function untilKnown(run: RunContext, attempted: Attempted, frame?: Frame): Promise<Outcome> {
  const { task, scope, step, work } = attempted;
  if (withoutEffect.has(keywordOf(task))) return work(scope, frame, false);
  const policy = unknownPolicy(task.metadata, run.metadata);
  const startedAt = new Date().toISOString();
  let { unknown } = (frame?.state ?? {}) as OutcomeState; // this function's own
  let at = scope;
  for (let tries = 1; ; tries++) {
    const isLeft = unknown !== undefined;
    if (!unknown) {
      const inside = tries === 1 ? frame?.inside : undefined;
      try {
        return await framed(
          () => work(at, inside, tries > 1),
          (inner) => ({ state: {} satisfies OutcomeState, inside: inner }),
        );
      } catch (error) {
        if (!(error instanceof TaskFailure) || !error.outcomeUnknown || policy === 'fail') throw error;
        if (policy === 'retry' && tries >= MOST_ATTEMPTS) throw error;
        const { problem, logs } = error;
        unknown = { problem, logs, startedAt, noticedAt: new Date().toISOString() };
      }
    }
    const { problem, logs } = unknown;
    const failed = new TaskFailure(problem, true, logs);
    if (policy === 'retry') {
      step.retries(problem);
      await sleep(FIRST_PAUSE_MS * 2 ** (tries - 1));
    } else {
      const said = await ask(run, attempted, at, unknown, isLeft);
      if (said.outcome === 'done') return { output: said.output ?? null, ...logs };
      if (said.outcome !== 'not_done') throw failed;
    }
    unknown = undefined;
    at = { ...at, attempt: at.again() };
    step.moves(at.attempt, failed);
  }
}

/** Asks a person; a run that is left meanwhile goes on asking in its next execution. */
async function ask(
  run: RunContext,
  { name, step, leavable }: Attempted,
  at: StepScope,
  unknown: Unknown,
  isLeft: boolean,
) {
  const place = stepPlace(at);
  const id = approvalId(run.runId, place, 'outcome');
  const { problem, logs, startedAt, noticedAt } = unknown;
  const reason = problem.detail ?? problem.title;
  if (!isLeft) step.asks(id, { problem: { ...problem, instance: at.pointer }, logs });
  const where = logs.host === undefined ? '' : ` on host ${logs.host}`;
  leavable();
  try {
    const question = {
      id,
      runId: run.runId,
      ...place,
      name,
      about: {
        kind: 'outcome' as const,
        title: `Did step "${name.slice(0, 150)}" have its effect?`,
        message:
          `Whether step "${name}"${where} had its effect is unknown: ${reason} ` +
          'Look, and say: done (the step completes), not_done (it runs again), or fail.',
        known: { reason, host: logs.host ?? null, started_at: startedAt, noticed_at: noticedAt },
      },
    };
    const { answer } = await framed(
      () => run.questions.ask(question),
      () => ({ state: { unknown } satisfies OutcomeState }),
    );
    return answer;
  } catch (failed) {
    // Whoever cancels the run has not said what became of the step either.
    throw isCancellation(failed) ? new CancelledUnseen(reason, logs) : failed;
  }
}
