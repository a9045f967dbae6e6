import type { InputProblem } from '../errors.ts';
import { pointer } from '../pointer.ts';
import { timeoutProblems } from './dsl/base.ts';
import { checkTasks, type Findings, maxTasks } from './dsl/check-tasks.ts';
import { collect, type Expression } from './dsl/collect.ts';
import { refusedUses, type Use } from './dsl/use.ts';
import { Document, type TaskList } from './dsl.ts';
import { isObject } from './json.ts';
import { onUnknownProblem } from './on-unknown.ts';
import { plainProblems } from './plain.ts';
import { schemaProblems } from './schema-problems.ts';
import { type SecretMention, secretMentions } from './sealed.ts';
import { normalizeSteps } from './short-form.ts';
import { asNamed, unnamed, type WrittenOut, writeOut } from './use.ts';
import type { Verbs } from './verbs.ts';

/** Says for each expression what is wrong with it, in the same order; nothing when it is well. */
export type CheckExpressions = (
  expressions: readonly { source: string; variables: readonly string[]; secrets?: boolean }[],
) => (string | undefined)[];

export interface CheckOptions {
  /** Pointer of what is given, before which nothing is reported: '' for a document, '/steps' for steps. */
  root: string;
  checkExpressions: CheckExpressions;
  verbs: Verbs;
  /** Of the document whose steps these are. */
  use?: Use | undefined;
}

export type Checked<Value> = ({ ok: true } & Value) | { ok: false; errors: InputProblem[] };

/** As many as a person reads; the last then says that there are more. */
const maxProblems = 100;

/** Checks a list of steps, short forms included, and gives the `do` list that they mean. */
export function validateSteps(steps: unknown, options: CheckOptions): Checked<{ do: TaskList }> {
  const { root } = options;
  const broken = plainProblems(steps, root);
  if (broken.length > 0) return { ok: false, errors: limited(broken) };
  const out = writeOut({ do: steps }, options.use, root);
  const { do: list, problems } = normalizeSteps(out.value.do, options);
  const found: Findings = { problems: [...problems], expressions: [], tasks: 0 };
  checkTasks(list, root, found, atTop(options));
  const errors = finish(found, options, out).map((problem) => asSent(steps, problem, root));
  if (errors.length > 0) return { ok: false, errors };
  return { ok: true, do: normalizeSteps(steps, options).do as TaskList }; // no problems: it is one
}

/** Where steps that were checked name secrets: pointers into what was sent, short forms included. */
export const secretsOfSteps = (steps: unknown, list: TaskList, root: string): SecretMention[] =>
  secretMentions(list, root).map(({ path, name }) => ({
    path: asSent(steps, { path, message: '' }, root).path,
    name,
  }));

/** Checks a whole document. */
export function validateDocument(value: unknown, options: CheckOptions): Checked<{ document: Document }> {
  const { root } = options;
  const broken = plainProblems(value, root);
  if (broken.length > 0) return { ok: false, errors: limited(broken) };
  if (!isObject(value)) return { ok: false, errors: schemaProblems(Document, value, root) };
  const refused = refusedParts(value, root);
  const out = writeOut(value, value.use);
  const found: Findings = {
    problems: schemaProblems(Document, out.value, root).filter(
      ({ path }) => path !== pointer(root, 'do') && !refused.some((other) => other.path === path),
    ),
    expressions: [],
    tasks: 0,
  };
  found.problems.push(...refused);
  found.problems.push(...limitProblems(out.value, root));
  collect(found.expressions, documentFields(value), root, []);
  if (Object.hasOwn(value, 'do')) checkTasks(out.value.do, pointer(root, 'do'), found, atTop(options));
  checkUnnamed(value.use, found, out.origins, options);
  const errors = finish(found, options, out);
  return errors.length > 0 ? { ok: false, errors } : { ok: true, document: value as Document }; // no problems: it is one
}

const atTop = ({ verbs }: CheckOptions) => ({ verbs, depth: 1, variables: [], parallel: false });

/** What `use` has for nobody is checked in tasks of its own; not its expressions, whose variables those would decide. */
function checkUnnamed(
  use: unknown,
  found: Findings,
  origins: Map<string, string>,
  options: CheckOptions,
): void {
  const entries = unnamed(use, origins.values());
  const name = (at: number) => `use-${at}`;
  const tasks = entries.map(({ task }, at) => ({ [name(at)]: task }));
  checkTasks(tasks, '/~use', { problems: found.problems, expressions: [], tasks: 0 }, atTop(options));
  for (const [at, { path, field }] of entries.entries())
    origins.set(pointer('/~use', at, name(at), ...field), path);
}

function finish(
  found: Findings,
  options: CheckOptions,
  out: Pick<WrittenOut<unknown>, 'origins' | 'problems'>,
): InputProblem[] {
  const problems = [...found.problems];
  // Checking ended there: what was found says nothing about the rest.
  if (found.tasks > maxTasks) return [{ path: options.root, message: `has more than ${maxTasks} tasks` }];
  if (problems.length < maxProblems) problems.push(...expressionProblems(found.expressions, options));
  return limited(asNamed(problems, out));
}

function expressionProblems(expressions: Expression[], { checkExpressions }: CheckOptions): InputProblem[] {
  const results = checkExpressions(expressions);
  return expressions.flatMap(({ path }, at) => {
    const message = results[at];
    return message === undefined ? [] : [{ path, message }];
  });
}

const limited = (problems: InputProblem[]) =>
  problems.length <= maxProblems
    ? problems
    : [
        ...problems.slice(0, maxProblems),
        { path: '', message: `and ${problems.length - maxProblems} more problems` },
      ];

/** Problems inside a step that was sent as a string are problems of that string; the key is said in words. */
function asSent(steps: unknown, { path, message }: InputProblem, root: string): InputProblem {
  const [at = '', , ...keys] = path.slice(root.length + 1).split('/');
  if (!Array.isArray(steps) || at === '' || typeof steps[Number(at)] !== 'string') return { path, message };
  const key = keys.filter((part) => part !== 'with').join('/');
  return { path: pointer(root, at), message: key === '' ? message : `\`${key}\`: ${message}` };
}

const documentFields = (value: Record<string, unknown>) =>
  [
    ['input', 'from'],
    ['output', 'as'],
  ].flatMap(([field = '', key = '']) => {
    const part = value[field];
    return isObject(part) ? [{ path: [field, key], value: part[key], bare: true }] : [];
  });

const limitProblems = (value: Record<string, unknown>, root: string): InputProblem[] => {
  const found = timeoutProblems(value).map(({ path, message }) => ({
    path: pointer(root, ...path),
    message,
  }));
  const message = onUnknownProblem(isObject(value.document) ? value.document.metadata : undefined);
  const path = pointer(root, 'document', 'metadata', 'onUnknown');
  return message === undefined ? found : [...found, { path, message }];
};

/** Parts of a document that the specification has and we do not, by name. */
function refusedParts(value: Record<string, unknown>, root: string): InputProblem[] {
  const top = ['schedule', 'evaluate'].filter((key) => Object.hasOwn(value, key));
  const { use } = value;
  const uses = refusedUses.filter((key) => isObject(use) && Object.hasOwn(use, key));
  const schemas = ['input', 'output'].filter(
    (key) => isObject(value[key]) && Object.hasOwn(value[key], 'schema'),
  );
  return [
    ...top.map((key) => ({ path: pointer(root, key), message: `\`${key}\` is not supported yet` })),
    ...uses.map((key) => ({
      path: pointer(root, 'use', key),
      message: `\`use.${key}\` is not supported yet`,
    })),
    ...schemas.map((key) => ({
      path: pointer(root, key, 'schema'),
      message: `\`${key}.schema\` is not supported yet`,
    })),
  ];
}
