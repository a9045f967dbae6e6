import type { InputProblem } from '../../errors.ts';
import { pointer } from '../../pointer.ts';
import { checkTasks, type Findings } from '../dsl/check-tasks.ts';
import type { Expression } from '../dsl/collect.ts';
import { standardCalls } from '../dsl/standard-calls.ts';
import { isObject, show } from '../json.ts';
import { secretUses } from '../secret-uses.ts';
import { unnamed, type WrittenOut, writeOut } from '../use.ts';
import type { Verbs } from '../verbs.ts';

/**
 * What `use` has for nobody is checked in tasks of its own; of its expressions those of functions only, as the
 * variables of the others are decided by who names them.
 * @returns those others
 */
export function checkUnnamed(
  use: unknown,
  found: Findings,
  out: Pick<WrittenOut<unknown>, 'origins' | 'problems'>,
  scope: Parameters<typeof checkTasks>[3],
): Expression[] {
  const root = '/~use';
  const entries = unnamed(use, out.origins.values());
  const tasks = entries.map(({ task }, at) => ({ [`use-${at}`]: task }));
  const written = writeOut({ do: tasks }, use, root);
  const expressions: Expression[] = [];
  checkTasks(written.value.do, root, { problems: found.problems, expressions, tasks: 0 }, scope);
  const isOfFunction = ({ path }: Expression) => entries[Number(path.split('/')[2])]?.kind === 'functions';
  found.expressions.push(...expressions.filter(isOfFunction));
  out.problems.push(...written.problems);
  for (const [site, origin] of written.origins) out.origins.set(site, origin);
  return expressions.filter((one) => !isOfFunction(one));
}

/** Whoever reads `call: http` knows what it does. */
export const functionNameProblems = (use: unknown, verbs: Verbs, root: string): InputProblem[] =>
  (isObject(use) && isObject(use.functions) ? Object.keys(use.functions) : [])
    .filter((name) => verbs.has(name) || standardCalls.includes(name))
    .map((name) => ({
      path: pointer(root, 'use', 'functions', name),
      message: 'is the name of something that `call` can do: choose another',
    }));

/** With a list of secrets in `use`, only these may be used. */
export function unlistedSecrets(expressions: readonly Expression[], use: unknown): InputProblem[] {
  const listed = isObject(use) ? use.secrets : undefined;
  if (!Array.isArray(listed)) return [];
  return expressions.flatMap(({ path, source, secrets }) =>
    (secrets ? secretUses(source).names : [])
      .filter((name) => !listed.includes(name))
      .map((name) => ({
        path,
        message: `uses the secret ${show(name)}, which \`use.secrets\` does not list`,
      })),
  );
}
