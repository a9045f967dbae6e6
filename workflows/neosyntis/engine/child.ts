import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  isCancellation,
  ParentClosePolicy,
  startChild,
} from '@temporalio/workflow';
import type { ChildActivities } from '../../../activities/platform/neosyntis/children.ts';
import { workflowTypes } from '../../../domain/names.ts';
import type { RunProblem } from '../../../domain/neosyntis/runs.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import { runStart } from '../../../domain/neosyntis/start.ts';
import type { Json } from '../../../domain/wire.ts';
import type { neosyntisRun } from '../runs.ts';
import type { Budget } from './budget.ts';
import { failure, TaskFailure } from './problem.ts';
import type { StepPlace } from './scope.ts';

export interface WantedChild {
  target: { namespace: string; name: string; version: string };
  input: Json;
  /** Whether the step ends with it; otherwise it goes on whatever becomes of this run. */
  isAwaited: boolean;
}

/** Starts a run of another workflow. @returns its output; nothing when it is not awaited. */
export type ChildRunner = (step: StepPlace, child: WantedChild) => Promise<Json | undefined>;

export function createChildRunner(
  runId: string,
  createChild: ChildActivities['createChild'],
  budget: Budget,
): ChildRunner {
  return async (step, { target, input, isAwaited }) => {
    const created = await createChild({ runId, ...step }, target, input);
    if ('problem' in created) throw failure(created.problem.kind, created.problem.detail);
    const { id, intent } = created;
    await budget.spend(byteLength(intent as unknown as Json)); // it is JSON
    try {
      const child = await startChild<typeof neosyntisRun>(workflowTypes.run, {
        ...runStart(id, intent),
        parentClosePolicy: isAwaited ? ParentClosePolicy.REQUEST_CANCEL : ParentClosePolicy.ABANDON,
        cancellationType: isAwaited
          ? ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED
          : ChildWorkflowCancellationType.ABANDON,
      });
      return isAwaited ? await child.result() : undefined;
    } catch (error) {
      throw described(error, id);
    }
  };
}

function described(error: unknown, id: string): unknown {
  if (error instanceof WorkflowExecutionAlreadyStartedError)
    return failure(
      'runtime',
      `Run ${id} was started by this step before, in an execution of this run that was reset in Temporal.`,
      true,
    );
  if (!(error instanceof ChildWorkflowFailure)) return error;
  if (CancellationScope.current().consideredCancelled) return error;
  if (isCancellation(error)) return failure('runtime', `Run ${id} was cancelled.`);
  const problem = problemOf(error);
  if (!problem) return failure('runtime', `Run ${id} was ended in Temporal.`);
  const { instance = '/', detail, ...rest } = problem;
  const where = `Run ${id} failed at ${instance}`;
  return new TaskFailure({ ...rest, detail: detail === undefined ? `${where}.` : `${where}: ${detail}` });
}

/** What neosyntisRun failed with. */
function problemOf({ cause }: ChildWorkflowFailure): RunProblem | undefined {
  const [problem] = cause && 'details' in cause && Array.isArray(cause.details) ? cause.details : [];
  return problem as RunProblem | undefined; // asTemporalFailure puts it there
}
