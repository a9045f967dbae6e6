import type { Json } from '../wire.ts';

/** An expression that is evaluated outside the workflow, where it can be ended. */
export interface GuardedExpression {
  /** jq, without `${ }`. */
  source: string;
  input: Json;
  variables: Record<string, Json>;
}

export type GuardedResult = { values: Json[] } | { problem: string };
