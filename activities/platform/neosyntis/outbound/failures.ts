import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import type { ProblemKind } from '../../../../domain/neosyntis/problems.ts';
import { VERB_FAILURE, type VerbFailure } from '../../../../domain/neosyntis/verb-failure.ts';
import { OutboundError, type OutboundErrorKind } from '../../../../drivers/outbound/port.ts';

/** @param again undefined when another attempt cannot help; a pause other than the policy's, if it says so. */
export const verbFailure = (
  problem: Omit<VerbFailure, 'outcomeUnknown' | 'pauseMs'> & { outcomeUnknown?: boolean },
  again?: { pauseMs?: number },
): ApplicationFailure =>
  ApplicationFailure.create({
    message: problem.detail,
    type: VERB_FAILURE,
    nonRetryable: again === undefined,
    details: [{ outcomeUnknown: false, ...problem, ...again } satisfies VerbFailure],
  });

const kinds: Record<OutboundErrorKind, ProblemKind> = {
  invalid: 'validation',
  // It is the installation that does not permit it.
  forbidden: 'authorization',
  unresolved: 'communication',
  connection: 'communication',
  protocol: 'communication',
  too_large: 'communication',
  timeout: 'timeout',
};

export interface RequestFailure {
  /** Method and origin, for people. */
  what: string;
  /** Whether a second request does no more than the first. */
  isRepeatable: boolean;
  /** What may pass by itself. */
  retried: readonly OutboundErrorKind[];
}

/** What a run is told of a request that got no answer; cancellation stays what it is. */
export function requestFailure(error: unknown, { what, isRepeatable, retried }: RequestFailure): unknown {
  if (error instanceof CancelledFailure) {
    if (error.message !== 'WORKER_SHUTDOWN') return error;
    return verbFailure(
      {
        kind: 'communication',
        detail: `${what}: the worker stopped before there was an answer${isRepeatable ? '' : unknownEffect}.`,
        outcomeUnknown: !isRepeatable,
      },
      isRepeatable ? {} : undefined,
    );
  }
  if (!(error instanceof OutboundError)) return error;
  const outcomeUnknown = error.sent && !isRepeatable && open.includes(error.kind);
  return verbFailure(
    {
      kind: kinds[error.kind],
      detail: `${what}: ${error.message}${outcomeUnknown ? unknownEffect : ''}.`,
      outcomeUnknown,
    },
    isRepeatable && retried.includes(error.kind) ? {} : undefined,
  );
}

/** Kinds that leave it open what the other side did with a request that it has. */
const open: OutboundErrorKind[] = ['connection', 'timeout', 'protocol'];
const unknownEffect = '; whether it had its effect is unknown';
