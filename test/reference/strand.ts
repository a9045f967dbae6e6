import type { Json } from '../../domain/wire.ts';
import type { WorkflowDocument } from './document.ts';
import type { Arguments } from './expressions.ts';
import { Undetermined } from './fault.ts';

/** More than this is a document that does not end soon, or one whose data grow without bound. */
const MOST_TASKS = 150;
const MOST_CHARACTERS = 8_000;

/** What becomes of a task; the specification's `faulted` is our `failed`. */
export type Phase = 'running' | 'completed' | 'failed' | 'skipped' | 'cancelled';

/** A task that was begun: where it stands, and which of its executions it is. */
export interface ExecutedStep {
  path: string;
  iteration: number[];
  status: Phase;
}

/** One interpretation of a document. */
export interface Interpretation {
  document: WorkflowDocument;
  input: Json;
  context: Json;
  /** By path and iteration: a task that is tried again is the same step. */
  steps: Map<string, ExecutedStep>;
  /** Which executions of a task were told apart already. */
  visits: Set<string>;
  tasks: number;
  /** Tasks below these paths may have run or not: their branch lost. */
  loose: string[];
}

/** One line of execution; a fork has one a branch. Time is virtual and costs nothing. */
export interface Strand {
  ms: number;
  exported: boolean;
  readContext: boolean;
}

/** Where a list or a task stands. */
export interface Place {
  path: string;
  iteration: number[];
  /** The number of each attempt of the `try` tasks around it. */
  attempts: number[];
  /** Loop variables and caught errors. */
  variables: Arguments;
  strand: Strand;
}

export interface Result {
  output: Json;
  directive?: string;
}

export function begin(run: Interpretation, { path, iteration: base, attempts }: Place): ExecutedStep {
  if (++run.tasks > MOST_TASKS) throw new Undetermined(`more than ${MOST_TASKS} tasks`);
  // A further visit in the same round has one number more: which visit it is, unless another has that already.
  const key = (iteration: number[]) => JSON.stringify([path, iteration, attempts]);
  let iteration = base;
  for (let visit = 1; run.visits.has(key(iteration)); visit++) iteration = [...base, visit];
  run.visits.add(key(iteration));
  const step: ExecutedStep = { path, iteration, status: 'running' };
  run.steps.set(JSON.stringify([path, iteration]), step);
  return step;
}

export function limited(value: Json): Json {
  if (JSON.stringify(value).length > MOST_CHARACTERS) throw new Undetermined('large data');
  return value;
}
