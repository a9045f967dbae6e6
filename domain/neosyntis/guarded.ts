import type { Json } from '../wire.ts';

/** An expression that is evaluated outside the workflow, where it can be ended. */
export interface GuardedExpression {
  /** jq, without `${ }`. */
  source: string;
  input: Json;
  variables: Record<string, Json>;
}

export type GuardedResult = { values: Json[] } | { problem: string };

/** What the thread is asked: values as JSON text. */
export interface ThreadQuestion {
  source: string;
  input: string;
  variables: Record<string, string>;
  /** What all values of the answer may have. */
  limitBytes: number;
}

/** The thread's answer; after a fatal one its jq cannot be trusted. */
export type ThreadAnswer = GuardedResult & { fatal?: true };
