import type { InputProblem } from '../errors.ts';
import { pointer } from '../pointer.ts';
import { timeoutProblems } from './dsl/base.ts';
import { checkTasks, type Findings, maxTasks } from './dsl/check-tasks.ts';
import { collect, type Expression } from './dsl/collect.ts';
import { Document, type TaskList } from './dsl.ts';
import { isObject } from './json.ts';
import { plainProblems } from './plain.ts';
import { schemaProblems } from './schema-problems.ts';
import { type SecretMention, secretMentions } from './sealed.ts';
import { normalizeSteps } from './short-form.ts';
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
}

export type Checked<Value> = ({ ok: true } & Value) | { ok: false; errors: InputProblem[] };

/** As many as a person reads; the last then says that there are more. */
const maxProblems = 100;

/** Checks a list of steps, short forms included, and gives the `do` list that they mean. */
export function validateSteps(steps: unknown, options: CheckOptions): Checked<{ do: TaskList }> {
  const { root } = options;
  const broken = plainProblems(steps, root);
  if (broken.length > 0) return { ok: false, errors: limited(broken) };
  const { do: list, problems } = normalizeSteps(steps, options);
  const found: Findings = { problems: [...problems], expressions: [], tasks: 0 };
  checkTasks(list, root, found, { verbs: options.verbs, depth: 1, variables: [], parallel: false });
  const errors = finish(found, options).map((problem) => asSent(steps, problem, root));
  return errors.length > 0 ? { ok: false, errors } : { ok: true, do: list as TaskList }; // no problems: it is one
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
  const found: Findings = {
    problems: schemaProblems(Document, value, root).filter(
      ({ path }) => path !== pointer(root, 'do') && !refused.some((other) => other.path === path),
    ),
    expressions: [],
    tasks: 0,
  };
  found.problems.push(...refused);
  collect(found.expressions, documentFields(value), root, []);
  if (Object.hasOwn(value, 'do'))
    checkTasks(value.do, pointer(root, 'do'), found, {
      verbs: options.verbs,
      depth: 1,
      variables: [],
      parallel: false,
    });
  const errors = finish(found, options);
  return errors.length > 0 ? { ok: false, errors } : { ok: true, document: value as Document }; // no problems: it is one
}

function finish(found: Findings, options: CheckOptions): InputProblem[] {
  const problems = [...found.problems];
  // Checking ended there: what was found says nothing about the rest.
  if (found.tasks > maxTasks) return [{ path: options.root, message: `has more than ${maxTasks} tasks` }];
  if (problems.length < maxProblems) problems.push(...expressionProblems(found.expressions, options));
  return limited(problems);
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

/** Parts of a document that the specification has and we do not, by name. */
function refusedParts(value: Record<string, unknown>, root: string): InputProblem[] {
  const top = ['use', 'schedule', 'evaluate'].filter((key) => Object.hasOwn(value, key));
  const schemas = ['input', 'output'].filter(
    (key) => isObject(value[key]) && Object.hasOwn(value[key], 'schema'),
  );
  return [
    ...top.map((key) => ({ path: pointer(root, key), message: `\`${key}\` is not supported yet` })),
    ...timeoutProblems(value).map(({ path, message }) => ({ path: pointer(root, ...path), message })),
    ...schemas.map((key) => ({
      path: pointer(root, key, 'schema'),
      message: `\`${key}.schema\` is not supported yet`,
    })),
  ];
}
