import type { Task, TaskList } from '../../../domain/neosyntis/dsl.ts';
import type { PlacedExtension } from '../../../domain/neosyntis/extensions.ts';
import type { Json } from '../../../domain/wire.ts';
import type { Attempts } from './attempts.ts';
import type { Budget } from './budget.ts';
import type { ChildRunner } from './child.ts';
import type { CodeRunner } from './code.ts';
import type { Evaluator, Variables } from './evaluator.ts';
import type { RunEvents } from './events.ts';
import type { Frame } from './frames.ts';
import type { Leg } from './leg.ts';
import type { Questions } from './questions.ts';
import type { Recorder } from './recorder.ts';
import type { Reuse } from './reuse.ts';
import type { SchemaChecker } from './schemas.ts';
import type { Standing } from './standing.ts';
import type { StepRecord } from './step-record.ts';
import type { VerbCaller } from './verbs.ts';
import type { Around } from './visits.ts';

/** What all tasks of a run share. */
export interface RunContext {
  runId: string;
  evaluator: Evaluator;
  checkSchema: SchemaChecker;
  recorder: Recorder;
  code: CodeRunner;
  callVerb: VerbCaller;
  child: ChildRunner;
  /** What people are asked. */
  questions: Questions;
  /** Of the document. */
  metadata: unknown;
  /** `$context`: what `export.as` replaced last. */
  context: Json;
  /** `$workflow` and `$runtime`. */
  constants: Variables;
  /** What runs around tasks. */
  extensions: readonly PlacedExtension[];
  /** How often each extension was applied. */
  applied: Map<string, number>;
  budget: Budget;
  leg: Leg;
  /** Events that come and go. */
  events: RunEvents;
  standing: Standing;
  /** Tasks that were run, against loops without an end. */
  executed: number;
  tasks: TaskExecutors;
  /** What counts of an earlier run that this one repeats. */
  reuse?: Reuse;
}

/** Where a task stands. */
export interface Scope {
  /** JSON pointer to the list or task in the document. */
  pointer: string;
  iteration: number[];
  /** Of the `try` tasks around it, outermost first. */
  attempts: readonly Attempts[];
  /** The tasks around it that `then` may lead back to. */
  around: readonly Around[];
  /** Loop variables. */
  variables: Variables;
  /** Of the tasks of an extension: `$task`, which is the task that they extend. */
  extended?: Json;
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
  /** Of a list: a task in it said `exit`. */
  exited?: true;
  host?: string;
  queueMs?: number;
  stdoutBytes?: number;
  stderrBytes?: number;
  /** What the events of a `listen` were correlated by. */
  correlationKeys?: { [name: string]: Json };
}

/**
 * Runs what is particular to one kind of task, between `input.from` and `output.as`. One that waits for long, or has
 * tasks inside, may be left at a safe point (frames.ts): it puts its frame around the one that comes out of them, and
 * gets that again, in another execution.
 */
export type TaskExecutor<T extends Task = Task> = (
  run: RunContext,
  task: T,
  input: Json,
  scope: StepScope,
  /** `$task` and the other variables of this task. */
  variables: Variables,
  step: StepRecord,
  frame?: Frame,
) => Promise<Outcome>;

export interface TaskExecutors {
  list(run: RunContext, tasks: TaskList, input: Json, scope: Scope, frame?: Frame): Promise<Outcome>;
  task(run: RunContext, name: string, task: Task, input: Json, scope: Scope, frame?: Frame): Promise<Outcome>;
}
