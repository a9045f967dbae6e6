import type { RunProblem } from './runs.ts';

/** The specification's standard error types (dsl-reference.md, Error). */
const standard = {
  configuration: { status: 400, title: 'Configuration error' },
  validation: { status: 400, title: 'Validation error' },
  expression: { status: 400, title: 'Expression error' },
  authentication: { status: 401, title: 'Authentication error' },
  authorization: { status: 403, title: 'Authorization error' },
  timeout: { status: 408, title: 'Timed out' },
  communication: { status: 500, title: 'Communication error' },
  runtime: { status: 500, title: 'Runtime error' },
} as const;

export type ProblemKind = keyof typeof standard;

/** @param status instead of the type's own, such as what the other side answered. */
export const standardProblem = (kind: ProblemKind, detail: string, status?: number): RunProblem => ({
  type: `https://open-workflow-specification.org/dsl/errors/types/${kind}`,
  ...standard[kind],
  ...(status === undefined ? {} : { status }),
  detail,
});

/** Hosts of the standard's type URIs: it was renamed in June 2026. */
const standardHosts = /^https?:\/\/(www\.)?(open-workflow-specification\.org|serverlessworkflow\.io)\//;

/** Standard types are the same by their last path segment, whatever version of the standard spelled the rest. */
function isSameType(type: string, wanted: string): boolean {
  if (type === wanted) return true;
  const [one, other] = [type, wanted].map((uri) =>
    standardHosts.test(uri) ? uri.split('/').at(-1) : undefined,
  );
  return one !== undefined && one === other;
}

/** Whether an error has all that a filter names (dsl-reference.md, Error). */
export const isErrorLike = (problem: RunProblem, { type, ...wanted }: Partial<RunProblem>): boolean =>
  (type === undefined || isSameType(problem.type, type)) &&
  Object.entries(wanted).every(([name, value]) => problem[name as keyof RunProblem] === value); // its own fields
