import type { Static, TSchema } from 'typebox';
import type { TaskItem, TaskList } from '../dsl.ts';
import type { Verbs } from '../verbs.ts';

/** Keys and positions below the task. */
export type Path = (string | number)[];

export interface Children {
  path: Path;
  tasks: TaskList;
  /** Variables that expressions in these tasks see besides the built-in ones. */
  variables?: string[];
  /** Branches run at once: they have no order, so none can be named by `then`. */
  parallel?: boolean;
}

export interface ExpressionField {
  path: Path;
  /** A string, or a value that may hold strings at any depth; nothing when the field is absent. */
  value: unknown;
  /** A string is an expression even without `${ }`. */
  bare: boolean;
  /** Its expressions may use `$secrets`: an activity evaluates them. */
  secrets?: boolean;
  /** They may use `$authorization`, too. */
  authorization?: boolean;
  variables?: string[];
  /** It is a regular expression, not one of jq. */
  pattern?: boolean;
}

export interface KindProblem {
  path: Path;
  /** A JSON pointer from there on. */
  below?: string;
  /** A required key beside it that need not be missed too. */
  replaces?: string;
  message: string;
}

export interface CheckContext {
  verbs: Verbs;
  /** Names of functions that a call may have meant. */
  functions?: readonly string[];
}

/** One kind of task. A new kind is one more file with one of these, and its line in `kinds.ts`. */
export interface TaskKind<Schema extends TSchema = TSchema> {
  keyword: string;
  /** Of the whole task, nested lists excepted. */
  schema: Schema;
  /** Nested lists of tasks. */
  children(task: Static<Schema>): Children[];
  /** The function that it calls: its expressions see no variables of the tasks around. */
  called?(task: Static<Schema>): { path: Path; item: TaskItem } | undefined;
  /** The fields of its own that are evaluated; those that every task has are known. */
  expressions(task: Static<Schema>): ExpressionField[];
  /** Flow directives besides the task's `then`. */
  targets?(task: Static<Schema>): { path: Path; name: string }[];
  /** What a schema cannot say; called only when the schema holds. */
  check?(task: Static<Schema>, context: CheckContext): KindProblem[];
  /** Parts that the specification has and we do not, by name; what the schema says of these is not reported. */
  refuse?(task: Record<string, unknown>): KindProblem[];
}
