import { isCancellation, sleep } from '@temporalio/workflow';
import { approvalId } from '../../../domain/neosyntis/approvals.ts';
import type { Task } from '../../../domain/neosyntis/dsl.ts';
import { unknownPolicy } from '../../../domain/neosyntis/on-unknown.ts';
import { keywordOf } from '../tasks.ts';
import { CancelledUnseen, TaskFailure } from './problem.ts';
import { type Outcome, type RunContext, type StepScope, stepPlace } from './scope.ts';
import type { StepRecord } from './step-record.ts';

/** Where nobody is asked, so often at most. */
const MOST_ATTEMPTS = 5;
const FIRST_PAUSE_MS = 1_000;

const withoutEffect = new Set(['do', 'for', 'fork', 'raise', 'set', 'switch', 'try']);

/**
 * Does a step's work until it is known what became of it. When nobody can know whether it had its effect, the step's
 * policy decides: a person is asked, it runs again as its next attempt, or it fails.
 */
export function untilKnown(
  run: RunContext,
  name: string,
  task: Task,
  scope: StepScope,
  step: StepRecord,
  work: (scope: StepScope) => Promise<Outcome>,
): Promise<Outcome> {
  if (withoutEffect.has(keywordOf(task))) return work(scope);
  return run.presence.during(async () => {
    const policy = unknownPolicy(task.metadata, run.metadata);
    const startedAt = new Date().toISOString();
    let at = scope;
    for (let tries = 1; ; tries++) {
      try {
        return await work(at);
      } catch (error) {
        if (!(error instanceof TaskFailure) || !error.outcomeUnknown || policy === 'fail') throw error;
        if (policy === 'ask') {
          const said = await ask(run, name, at, step, startedAt, error);
          if (said.outcome === 'done') return { output: said.output ?? null, ...error.logs };
          if (said.outcome !== 'not_done') throw error;
        } else {
          if (tries >= MOST_ATTEMPTS) throw error;
          step.retries(error.problem);
          await sleep(FIRST_PAUSE_MS * 2 ** (tries - 1));
        }
        at = { ...at, attempt: at.again() };
        step.again(at.attempt);
      }
    }
  });
}

async function ask(
  run: RunContext,
  name: string,
  at: StepScope,
  step: StepRecord,
  startedAt: string,
  error: TaskFailure,
) {
  const place = stepPlace(at);
  const id = approvalId(run.runId, place, 'outcome');
  const { problem, logs } = error;
  const reason = problem.detail ?? problem.title;
  step.asks(id, { problem: { ...problem, instance: at.pointer }, logs });
  const where = logs.host === undefined ? '' : ` on host ${logs.host}`;
  try {
    const { answer } = await run.questions.ask({
      id,
      runId: run.runId,
      ...place,
      name,
      about: {
        kind: 'outcome',
        title: `Did step "${name.slice(0, 150)}" have its effect?`,
        message:
          `Whether step "${name}"${where} had its effect is unknown: ${reason} ` +
          'Look, and say: done (the step completes), not_done (it runs again), or fail.',
        known: {
          reason,
          host: logs.host ?? null,
          started_at: startedAt,
          noticed_at: new Date().toISOString(),
        },
      },
    });
    return answer;
  } catch (failed) {
    // Whoever cancels the run has not said what became of the step either.
    throw isCancellation(failed) ? new CancelledUnseen(reason, logs) : failed;
  }
}
