import type { InputProblem } from '../errors.ts';
import { pointer } from '../pointer.ts';
import { asSent } from './as-sent.ts';
import { documentFields, limitProblems, refusedParts } from './document-parts.ts';
import { checkTasks, type Findings, maxTasks } from './dsl/check-tasks.ts';
import { collect, type Expression } from './dsl/collect.ts';
import { type CheckTiming, scheduleExpressions, scheduleProblems } from './dsl/schedule.ts';
import type { Use } from './dsl/use.ts';
import { Document, type TaskList } from './dsl.ts';
import { extensionsOf, listsOf } from './extensions.ts';
import { isObject } from './json.ts';
import { looseTexts, writeLoose } from './loose.ts';
import { plainProblems } from './plain.ts';
import { schemaProblems } from './schema-problems.ts';
import { normalizeSteps } from './short-form.ts';
import type { Sources, WantedSource } from './sources.ts';
import { checkUnnamed, functionNameProblems, unlistedSecrets } from './use/check.ts';
import { asNamed, sentProblem, type WrittenOut, writeOut } from './use.ts';
import type { Verbs } from './verbs.ts';

/** Says for each expression what is wrong with it, in the same order; nothing when it is well. */
export type CheckExpressions = (
  expressions: readonly {
    source: string;
    variables: readonly string[];
    secrets?: boolean;
    authorization?: boolean;
    pattern?: boolean;
  }[],
) => (string | undefined)[];

export interface CheckOptions {
  /** Pointer of what is given, before which nothing is reported: '' for a document, '/steps' for steps. */
  root: string;
  checkExpressions: CheckExpressions;
  verbs: Verbs;
  /** Of the document whose steps these are. */
  use?: Use | undefined;
  /** Of the document whose steps these are. */
  evaluate?: Document['evaluate'] | undefined;
  /** What is elsewhere; what is not among it is not checked, and wanted (`wantedSources`). */
  sources?: Sources | undefined;
}

export type Checked<Value> =
  | ({
      ok: true;
      /** Whether all of it could be checked: nothing is elsewhere that was not given. */
      isWhole: boolean;
      /** In loose mode the texts that are expressions. */
      loose: string[];
    } & Value)
  | { ok: false; errors: InputProblem[] };

/** As many as a person reads; the last then says that there are more. */
const maxProblems = 100;

/** Checks a list of steps, short forms included, and gives the `do` list that they mean. */
export function validateSteps(steps: unknown, options: CheckOptions): Checked<{ do: TaskList }> {
  const { root } = options;
  const broken = plainProblems(steps, root);
  if (broken.length > 0) return { ok: false, errors: limited(broken) };
  const out = writeOut({ do: steps }, options.use, root, options.sources);
  const { do: list, problems } = normalizeSteps(out.value.do, options);
  const found: Findings = { problems: [...problems], expressions: [], tasks: 0 };
  const loose = looselyRead({ do: list }, options.evaluate, options.checkExpressions, found);
  checkTasks(list, root, found, atTop(options, options.use));
  const errors = finish(found, options, out, options.use).map((problem) => asSent(steps, problem, root));
  if (errors.length > 0) return { ok: false, errors };
  const isWhole = out.wanted.length === 0;
  return { ok: true, isWhole, loose, do: normalizeSteps(steps, options).do as TaskList }; // no problems: it is one
}

/** What is named in a definition that was found well, or may be, and is elsewhere; paths are those of what was sent. */
export function wantedSources(
  given: { do?: unknown; use?: unknown },
  { root, use, sources }: Pick<CheckOptions, 'root' | 'use' | 'sources'>,
): { wanted: WantedSource[]; problems: InputProblem[] } {
  const out = writeOut(given, use, root, sources);
  const wanted = out.wanted.map((one) => ({
    ...one,
    at: sentProblem({ path: one.at, message: '' }, out).path,
  }));
  return { wanted, problems: asNamed([], out) };
}

export interface DocumentCheckOptions extends CheckOptions {
  checkTiming: CheckTiming;
}

/** Checks a whole document. */
export function validateDocument(
  value: unknown,
  options: DocumentCheckOptions,
): Checked<{ document: Document }> {
  const { root } = options;
  const broken = plainProblems(value, root);
  if (broken.length > 0) return { ok: false, errors: limited(broken) };
  if (!isObject(value)) return { ok: false, errors: schemaProblems(Document, value, root) };
  const refused = refusedParts(value, root);
  const out = writeOut(value, value.use, '/do', options.sources);
  const found: Findings = {
    problems: schemaProblems(Document, out.value, root).filter(
      ({ path }) => path !== pointer(root, 'do') && !refused.some((other) => other.path === path),
    ),
    expressions: [],
    tasks: 0,
  };
  found.problems.push(...refused);
  const loose = looselyRead(out.value, value.evaluate, options.checkExpressions, found);
  found.problems.push(
    ...limitProblems(out.value, root),
    ...scheduleProblems(value, root, options.checkTiming),
  );
  collect(found.expressions, [...documentFields(out.value), ...scheduleExpressions(out.value)], root, []);
  if (Object.hasOwn(value, 'do'))
    checkTasks(out.value.do, pointer(root, 'do'), found, atTop(options, value.use));
  for (const extension of extensionsOf(out.value.use)) {
    for (const { path, tasks } of listsOf(extension))
      if (Array.isArray(tasks)) checkTasks(tasks, path, found, atTop(options, value.use));
    collect(
      found.expressions,
      [{ path: ['when'], value: extension.extension.when, bare: true }],
      extension.path,
      [],
    );
  }
  const others = checkUnnamed(value.use, found, out, atTop(options, value.use));
  found.problems.push(...functionNameProblems(value.use, options.verbs, root));
  const errors = finish(found, options, out, value.use, others);
  if (errors.length > 0) return { ok: false, errors };
  return { ok: true, isWhole: out.wanted.length === 0, loose, document: value as Document }; // no problems: it is one
}

/** In loose mode, texts that are expressions become such as strict mode has them. The value is changed. */
function looselyRead(
  value: { do?: unknown; use?: unknown },
  evaluate: unknown,
  checkExpressions: CheckExpressions,
  found: Findings,
): string[] {
  if (!isObject(evaluate) || evaluate.mode !== 'loose') return [];
  const texts = looseTexts(value, checkExpressions);
  if ('problem' in texts) {
    found.problems.push({ path: '/evaluate/mode', message: texts.problem });
    return [];
  }
  writeLoose(value, texts);
  return texts;
}

const atTop = ({ verbs }: CheckOptions, use: unknown) => ({
  verbs,
  functions: isObject(use) && isObject(use.functions) ? Object.keys(use.functions) : [],
  depth: 1,
  variables: [],
  parallel: false,
});

function finish(
  found: Findings,
  options: CheckOptions,
  out: Pick<WrittenOut<unknown>, 'origins' | 'problems' | 'outside'>,
  use: unknown,
  others: readonly Expression[] = [],
): InputProblem[] {
  const problems = [
    ...found.problems,
    ...unlistedSecrets([...found.expressions, ...others], use, out.origins),
  ];
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
