import { setTimeout as delay } from 'node:timers/promises';
import {
  ServiceError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { ApprovalRepository } from '../../db/neosyntis/approvals.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import {
  ANSWER_UPDATE,
  type Answer,
  type Answered,
  APPROVAL_LIMIT_BYTES,
  type Approval,
  answerProblem,
  isSameAnswer,
  NOT_OPEN,
} from '../../domain/neosyntis/approvals.ts';
import { byteLength } from '../../domain/neosyntis/shown.ts';
import type { Json } from '../../domain/wire.ts';
import type { GuardedEvaluator } from '../../drivers/expressions/guarded.ts';
import type { Temporal } from '../temporal/client.ts';

/** The run must take it: a worker that is away, or busy with the run, has this long. */
const TAKEN_WITHIN_MS = 10_000;

/** What the run says that it does not wait for, while the row says that it does. */
const MOST_TRIES = 4;
const TRY_AGAIN_MS = 300;

/** Who waits for so long for a thread that checks has no place in the queue any more. */
const CHECKED_WITHIN_MS = 10_000;

export interface AnswerDeps {
  approvals: ApprovalRepository;
  temporal: Temporal;
  /** Checks what is answered against the schema of who asked. */
  guarded: Pick<GuardedEvaluator, 'check'>;
}

/** Gives a person's answer to the run that asked. */
export function createAnswers({ approvals, temporal, guarded }: AnswerDeps) {
  /** @throws AppError `conflict` unless the answer that counts says the same. */
  function sameOr(approval: Approval, answer: Answer): Approval {
    if (approval.answer !== null && isSameAnswer(approval.answer as Answer, answer)) return approval; // it was checked
    if (approval.status === 'answered')
      throw new AppError(
        'conflict',
        `${approval.decided_by ?? 'The time limit'} answered this otherwise at ${approval.decided_at}.`,
      );
    throw new AppError('conflict', 'Nobody waits for this answer any more: the step or its run has ended.');
  }

  async function give(user: Principal, approval: Approval, answer: Answer): Promise<Answered | undefined> {
    await temporal.ensureUp();
    const { id, run_id } = approval;
    try {
      return await temporal.client.withDeadline(Date.now() + TAKEN_WITHIN_MS, () =>
        temporal.client.workflow.getHandle(run_id).executeUpdate<Answered, [object]>(ANSWER_UPDATE, {
          // One answer of one question, however often it is sent: the first is kept.
          updateId: id,
          args: [{ id, answer, by: user.username, userId: user.userId }],
        }),
      );
    } catch (error) {
      if (error instanceof WorkflowNotFoundError || isNotOpen(error)) return undefined;
      if (!(error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || error instanceof ServiceError))
        throw error;
      throw notNow(error);
    }
  }

  return {
    /**
     * @returns the approval with the answer, which the run has: it is durable.
     * @throws AppError `forbidden`, `invalid`; `conflict` when somebody answered otherwise or nobody waits;
     *   `unavailable` when Temporal or every worker is away: then the same may be sent again.
     */
    async answer(user: Principal, approval: Approval, answer: Answer): Promise<Approval> {
      if (!approval.may_answer)
        throw new AppError('forbidden', `${user.username} is not among those who may answer this.`);
      await requireFit(guarded, approval, answer);
      if (approval.status !== 'open') return sameOr(approval, answer);
      for (let tries = 1; ; tries++) {
        const taken = await give(user, approval, answer);
        if (taken) await approvals.decided(approval.id, taken);
        const now = await approvals.get(user, approval.id);
        if (now.status !== 'open') return sameOr(now, answer);
        // A run that is between two of its executions takes it in the next one.
        if (tries === MOST_TRIES) throw notNow();
        await delay(TRY_AGAIN_MS);
      }
    },
  };
}

const notNow = (cause?: unknown): AppError =>
  new AppError(
    'unavailable',
    'The run did not take the answer in time; send the same again.',
    { retryAfterSeconds: 5 },
    { cause },
  );

export type Answers = ReturnType<typeof createAnswers>;

const isNotOpen = (error: unknown): boolean =>
  error instanceof WorkflowUpdateFailedError &&
  error.cause instanceof ApplicationFailure &&
  error.cause.type === NOT_OPEN;

async function requireFit(guarded: AnswerDeps['guarded'], approval: Approval, answer: Answer): Promise<void> {
  const problem = answerProblem(approval.kind, answer);
  if (problem) throw invalid([problem]);
  const bytes = byteLength(answer as Json); // the body is JSON
  if (bytes > APPROVAL_LIMIT_BYTES)
    throw invalid([{ path: '', message: `is ${bytes} bytes of JSON; ${APPROVAL_LIMIT_BYTES} is the limit` }]);
  const { schema } = approval;
  // Who rejects need not fill in the form.
  if (schema === null || (answer.approved !== true && answer.data === undefined)) return;
  const result = await guarded
    .check({ schema, value: answer.data ?? null }, AbortSignal.timeout(CHECKED_WITHIN_MS))
    .catch((error: unknown) => {
      throw new AppError(
        'unavailable',
        'Too many answers are being checked just now; send the same again.',
        { retryAfterSeconds: 5 },
        { cause: error },
      );
    });
  if ('problem' in result)
    throw invalid([{ path: '/data', message: `cannot be checked against the schema: ${result.problem}` }]);
  if (result.mismatches.length > 0)
    throw invalid(result.mismatches.map(({ path, message }) => ({ path: `/data${path}`, message })));
}

const invalid = (errors: { path: string; message: string }[]) =>
  new AppError('invalid', `The answer cannot be taken: ${errors[0]?.path ?? ''} ${errors[0]?.message}.`, {
    errors,
  });
