import type { Task, TaskList } from '../../../domain/neosyntis/dsl.ts';
import type { Sealed } from '../../../domain/neosyntis/sealed.ts';
import type { Json } from '../../../domain/wire.ts';
import type { Budget } from './budget.ts';
import type { CodeRunner } from './code.ts';
import type { Evaluator, Variables } from './evaluator.ts';
import type { Recorder } from './recorder.ts';

/** What all tasks of a run share. */
export interface RunContext {
  runId: string;
  evaluator: Evaluator;
  recorder: Recorder;
  code: CodeRunner;
  callVerb(
    name: string,
    args: Json,
    step: { path: string; iteration: number[]; sealed?: Sealed },
  ): Promise<Json>;
  /** `$context`: what `export.as` replaced last. */
  context: Json;
  /** `$workflow` and `$runtime`. */
  constants: Variables;
  /** How often each task was begun in each round of its loops. */
  visits: Map<string, number>;
  budget: Budget;
  /** Tasks that were run, against loops without an end. */
  executed: number;
  tasks: TaskExecutors;
}

/** Where a task stands. */
export interface Scope {
  /** JSON pointer to the list or task in the document. */
  pointer: string;
  iteration: number[];
  /** Loop variables. */
  variables: Variables;
  /** The part of the run's progress that this covers, of 0..1. */
  from: number;
  span: number;
}

/** `continue`, `exit`, `end` or a task's name. */
export type Directive = string;

export interface Outcome {
  output: Json;
  /** What comes next, when the task decided it (switch, or an `end` inside). */
  directive?: Directive;
  host?: string;
  stdoutBytes?: number;
  stderrBytes?: number;
}

/** Runs what is particular to one kind of task, between `input.from` and `output.as`. */
export type TaskExecutor<T extends Task = Task> = (
  run: RunContext,
  task: T,
  input: Json,
  scope: Scope,
  /** `$task` and the other variables of this task. */
  variables: Variables,
) => Promise<Outcome>;

export interface TaskExecutors {
  list(run: RunContext, tasks: TaskList, input: Json, scope: Scope): Promise<Outcome>;
  task(run: RunContext, name: string, task: Task, input: Json, scope: Scope): Promise<Outcome>;
}
