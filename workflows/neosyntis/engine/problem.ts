import { CancelledFailure } from '@temporalio/workflow';
import { type ProblemKind, standardProblem } from '../../../domain/neosyntis/problems.ts';
import type { StepLogs } from '../../../domain/neosyntis/projection.ts';
import type { RunProblem } from '../../../domain/neosyntis/runs.ts';

/** A task's error; it ends the run unless somebody catches it. */
export class TaskFailure extends Error {
  readonly problem: RunProblem;
  /** The task may have had its effect: nobody can know. */
  readonly outcomeUnknown: boolean;
  /** How long the output of its process is, and where it ran. */
  readonly logs: StepLogs;
  /** Whether a `retry` may run the tasks again: not those that may have had an effect, unless they allow it. */
  readonly mayRepeat: boolean;

  constructor(
    problem: RunProblem,
    outcomeUnknown = false,
    logs: StepLogs = {},
    mayRepeat: boolean = !outcomeUnknown,
  ) {
    super(problem.detail ?? problem.title);
    this.name = 'TaskFailure';
    this.problem = problem;
    this.outcomeUnknown = outcomeUnknown;
    this.logs = logs;
    this.mayRepeat = mayRepeat;
  }
}

/** The run as a whole has reached a limit: no `catch` takes it, and no other branch wins instead. */
export class RunExhausted extends TaskFailure {}

/** The run is cancelled while a task may have its effect, and whoever did it is gone: nobody can know. */
export class CancelledUnseen extends CancelledFailure {
  readonly problem: RunProblem;
  readonly logs: StepLogs;

  constructor(detail: string, logs: StepLogs = {}) {
    super(detail);
    this.problem = standardProblem('runtime', detail);
    this.logs = logs;
  }
}

export const failure = (kind: ProblemKind, detail: string, outcomeUnknown = false): TaskFailure =>
  new TaskFailure(standardProblem(kind, detail), outcomeUnknown);
