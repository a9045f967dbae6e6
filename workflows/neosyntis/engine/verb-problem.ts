import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  isCancellation,
  TimeoutFailure,
} from '@temporalio/workflow';
import { standardProblem } from '../../../domain/neosyntis/problems.ts';
import { VERB_FAILURE, type VerbFailure } from '../../../domain/neosyntis/verb-failure.ts';
import { CancelledUnseen, failure, TaskFailure } from './problem.ts';

/** What became of a call that failed. */
export interface FailedCall {
  /** What the step is told. */
  error: unknown;
  /** Whether the verb itself said so, and would say it again; or nobody wants it any more. */
  isFinal: boolean;
  /** When it asks to be tried again after another pause than the verb's. */
  pauseMs?: number;
}

/** What an activity failed by: a local one fails by that itself. */
const causeOf = (error: unknown): unknown => (error instanceof ActivityFailure ? error.cause : error);

export function failedCall(error: unknown, name: string, isIdempotent: boolean): FailedCall {
  const cause = causeOf(error);
  if (isCancellation(error)) return { error, isFinal: true };
  if (cause instanceof ApplicationFailure) {
    const isFinal = cause.nonRetryable === true;
    if (cause.type !== VERB_FAILURE) return { error: answered(cause, name), isFinal };
    const [problem] = (cause.details ?? []) as [VerbFailure]; // of that type always
    const { kind, detail, status, outcomeUnknown, pauseMs } = problem;
    const told = new TaskFailure(standardProblem(kind, detail, status), outcomeUnknown);
    return { error: told, isFinal, ...(pauseMs === undefined ? {} : { pauseMs }) };
  }
  if (cause === error && !(cause instanceof TimeoutFailure)) return { error, isFinal: true };
  const detail = `${name} did not answer; whether it had its effect is unknown.`;
  if (!CancellationScope.current().consideredCancelled)
    return { error: failure('runtime', detail, !isIdempotent), isFinal: false };
  return { error: isIdempotent ? new CancelledFailure(detail) : new CancelledUnseen(detail), isFinal: true };
}

function answered(cause: ApplicationFailure, name: string): TaskFailure {
  if (cause.type === 'invalid') return failure('validation', cause.message);
  if (isOwn(cause.type)) return failure(cause.type, cause.message);
  // What else went wrong inside may name servers and addresses: the log has it.
  return failure('runtime', `${name} failed; the platform's log says why.`);
}

const isOwn = (type: string | null | undefined) =>
  type === 'configuration' || type === 'authorization' || type === 'expression';
