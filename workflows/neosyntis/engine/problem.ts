import type { StepLogs } from '../../../domain/neosyntis/projection.ts';
import type { RunProblem } from '../../../domain/neosyntis/runs.ts';

/** The specification's standard error types (dsl-reference.md, Error). */
const standard = {
  configuration: { status: 400, title: 'Configuration error' },
  validation: { status: 400, title: 'Validation error' },
  expression: { status: 400, title: 'Expression error' },
  timeout: { status: 408, title: 'Timed out' },
  communication: { status: 500, title: 'Communication error' },
  runtime: { status: 500, title: 'Runtime error' },
} as const;

export type ProblemKind = keyof typeof standard;

export const problemType = (kind: ProblemKind): string =>
  `https://open-workflow-specification.org/dsl/errors/types/${kind}`;

/** A task's error; it ends the run unless somebody catches it. */
export class TaskFailure extends Error {
  readonly problem: RunProblem;
  /** The task may have had its effect: nobody can know. */
  readonly outcomeUnknown: boolean;
  /** How long the output of its process is, and where it ran. */
  readonly logs: StepLogs;

  constructor(problem: RunProblem, outcomeUnknown = false, logs: StepLogs = {}) {
    super(problem.detail ?? problem.title);
    this.name = 'TaskFailure';
    this.problem = problem;
    this.outcomeUnknown = outcomeUnknown;
    this.logs = logs;
  }
}

export const failure = (kind: ProblemKind, detail: string, outcomeUnknown = false): TaskFailure =>
  new TaskFailure({ type: problemType(kind), ...standard[kind], detail }, outcomeUnknown);
