import type { InputProblem } from '../../errors.ts';
import { pointer } from '../../pointer.ts';
import { checkTasks, type Findings } from '../dsl/check-tasks.ts';
import type { Expression } from '../dsl/collect.ts';
import { standardCalls } from '../dsl/standard-calls.ts';
import { isObject, show } from '../json.ts';
import { secretUses } from '../secret-uses.ts';
import { isInSource, type Kind, unnamed, type WrittenOut, writeOut } from '../use.ts';
import type { Verbs } from '../verbs.ts';

/**
 * What `use` has for nobody is checked in tasks of its own; of its expressions those of functions only, as the
 * variables of the others are decided by who names them.
 * @returns those others
 */
export function checkUnnamed(
  use: unknown,
  found: Findings,
  out: Pick<WrittenOut<unknown>, 'origins' | 'problems' | 'outside'>,
  scope: Parameters<typeof checkTasks>[3],
): Expression[] {
  const root = '/~use';
  const entries: { kind: Kind | 'catalogs'; task: object; origin?: string }[] = [
    ...unnamed(use, out.origins.values()),
    ...catalogs(use),
  ];
  const tasks = entries.map(({ task }, at) => ({ [`use-${at}`]: task }));
  const written = writeOut({ do: tasks }, use, root);
  const expressions: Expression[] = [];
  checkTasks(written.value.do, root, { problems: found.problems, expressions, tasks: 0 }, scope);
  const isChecked = ({ path }: Expression) =>
    ['functions', 'catalogs'].includes(entries[Number(path.split('/')[2])]?.kind ?? '');
  found.expressions.push(...expressions.filter(isChecked));
  out.problems.push(...written.problems);
  for (const [site, origin] of written.origins) out.origins.set(site, origin);
  for (const [origin, source] of written.outside) out.outside.set(origin, source);
  for (const [at, { origin }] of entries.entries())
    if (origin !== undefined) out.origins.set(pointer(root, at, `use-${at}`, 'with', 'endpoint'), origin);
  return expressions.filter((one) => !isChecked(one));
}

/** Where a catalog is, is checked as the endpoint of a call. */
const catalogs = (use: unknown) =>
  Object.entries(isObject(use) && isObject(use.catalogs) ? use.catalogs : {}).flatMap(([name, catalog]) =>
    isObject(catalog) && catalog.endpoint !== undefined
      ? [
          {
            kind: 'catalogs' as const,
            task: { call: 'http', with: { method: 'GET', endpoint: catalog.endpoint } },
            origin: pointer('/use', 'catalogs', name, 'endpoint'),
          },
        ]
      : [],
  );

/** Whoever reads `call: http` knows what it does. */
export const functionNameProblems = (use: unknown, verbs: Verbs, root: string): InputProblem[] =>
  (isObject(use) && isObject(use.functions) ? Object.keys(use.functions) : [])
    .filter((name) => verbs.has(name) || standardCalls.includes(name))
    .map((name) => ({
      path: pointer(root, 'use', 'functions', name),
      message: 'is the name of something that `call` can do: choose another',
    }));

/** With a list of secrets in `use`, only these may be used; what is elsewhere may use no others in any case. */
export function unlistedSecrets(
  expressions: readonly Expression[],
  use: unknown,
  origins: ReadonlyMap<string, string>,
): InputProblem[] {
  const listed = isObject(use) && Array.isArray(use.secrets) ? use.secrets : undefined;
  return expressions.flatMap(({ path, source, secrets }) =>
    (secrets && (listed || isInSource(path, origins)) ? secretUses(source).names : [])
      .filter((name) => !listed?.includes(name))
      .map((name) => ({
        path,
        message: `uses the secret ${show(name)}, which \`use.secrets\` does not list`,
      })),
  );
}
