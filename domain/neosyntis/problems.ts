import type { RunProblem } from './runs.ts';

/** The specification's standard error types (dsl-reference.md, Error). */
const standard = {
  configuration: { status: 400, title: 'Configuration error' },
  validation: { status: 400, title: 'Validation error' },
  expression: { status: 400, title: 'Expression error' },
  authorization: { status: 403, title: 'Authorization error' },
  timeout: { status: 408, title: 'Timed out' },
  communication: { status: 500, title: 'Communication error' },
  runtime: { status: 500, title: 'Runtime error' },
} as const;

export type ProblemKind = keyof typeof standard;

export const standardProblem = (kind: ProblemKind, detail: string): RunProblem => ({
  type: `https://open-workflow-specification.org/dsl/errors/types/${kind}`,
  ...standard[kind],
  detail,
});
