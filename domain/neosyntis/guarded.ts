import type { Json } from '../wire.ts';

/** An expression that is evaluated outside the workflow, where it can be ended. */
export interface GuardedExpression {
  /** jq, without `${ }`. */
  source: string;
  input: Json;
  variables: Record<string, Json>;
}

export type GuardedResult = { values: Json[] } | { problem: string };

/** A value that is checked against somebody's JSON Schema, also there: its patterns and branches may take long. */
export interface GuardedCheck {
  schema: unknown;
  value: Json;
}

/** A place in the value, as a JSON pointer, and what is wrong there. */
export interface Mismatch {
  path: string;
  message: string;
}

/** The places that do not fit, the first of them; or why it cannot be told. */
export type CheckResult = { mismatches: Mismatch[] } | { problem: string };

/** What the thread is asked: values as JSON text. */
export type ThreadQuestion = ExpressionQuestion | CheckQuestion;

export interface CheckQuestion {
  schema: string;
  value: string;
}

export interface ExpressionQuestion {
  source: string;
  input: string;
  variables: Record<string, string>;
  /** What all values of the answer may have. */
  limitBytes: number;
}

/** The thread's answer; after a fatal one its jq cannot be trusted. */
export type ThreadAnswer = (GuardedResult | CheckResult) & { fatal?: true };
