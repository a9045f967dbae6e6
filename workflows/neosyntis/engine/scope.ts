import type { Task, TaskList } from '../../../domain/neosyntis/dsl.ts';
import type { Json } from '../../../domain/wire.ts';
import type { Budget } from './budget.ts';
import type { CodeRunner } from './code.ts';
import type { Evaluator, Variables } from './evaluator.ts';
import type { Presence } from './presence.ts';
import type { Questions } from './questions.ts';
import type { Recorder } from './recorder.ts';
import type { StepRecord } from './step-record.ts';
import type { VerbCaller } from './verbs.ts';

/** What all tasks of a run share. */
export interface RunContext {
  runId: string;
  evaluator: Evaluator;
  recorder: Recorder;
  code: CodeRunner;
  callVerb: VerbCaller;
  questions: Questions;
  presence: Presence;
  /** Of the document. */
  metadata: unknown;
  /** `$context`: what `export.as` replaced last. */
  context: Json;
  /** `$workflow` and `$runtime`. */
  constants: Variables;
  /** How often each task was begun in each round of its loops and each attempt. */
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
  /** The number of each attempt of the `try` tasks around it, outermost first. */
  attempts: number[];
  /** Loop variables. */
  variables: Variables;
  /** The part of the run's progress that this covers, of 0..1. */
  from: number;
  span: number;
}

/** Where a step stands that was begun. */
export interface StepScope extends Scope {
  /** How often this very step was begun, this time included. */
  attempt: number;
  /** Counts a further attempt of it. */
  again(): number;
}

/** What tells one execution of a step from all others of the run. */
export interface StepPlace {
  path: string;
  iteration: number[];
  attempt: number;
}

export const stepPlace = ({ pointer, iteration, attempt }: StepScope): StepPlace => ({
  path: pointer,
  iteration,
  attempt,
});

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
  scope: StepScope,
  /** `$task` and the other variables of this task. */
  variables: Variables,
  step: StepRecord,
) => Promise<Outcome>;

export interface TaskExecutors {
  list(run: RunContext, tasks: TaskList, input: Json, scope: Scope): Promise<Outcome>;
  task(run: RunContext, name: string, task: Task, input: Json, scope: Scope): Promise<Outcome>;
}
