import type { InputProblem } from '../../errors.ts';
import { pointer } from '../../pointer.ts';
import { isObject, show } from '../json.ts';
import { didYouMean } from '../nearest.ts';
import { missing, schemaProblems } from '../schema-problems.ts';
import type { Verbs } from '../verbs.ts';
import { base, baseExpressions, refusedFields } from './base.ts';
import { collect, type Expression } from './collect.ts';
import type { Children, KindProblem, TaskKind } from './kind.ts';
import { keywordsOf, kinds, refusedKinds } from './kinds.ts';

export const maxTasks = 1_000;
const maxNesting = 64;
const directives = ['continue', 'exit', 'end'];
const forbiddenNames = ['__proto__', 'constructor', 'prototype'];

/** What a check of a definition fills as it goes. */
export interface Findings {
  problems: InputProblem[];
  expressions: Expression[];
  tasks: number;
}

interface Scope {
  verbs: Verbs;
  functions?: readonly string[];
  depth: number;
  variables: readonly string[];
  /** Where flow directives may lead. */
  names: readonly string[];
  parallel: boolean;
}

/** Checks a list of tasks and all that are nested in it. Items that are undefined were reported before. */
export function checkTasks(
  list: unknown,
  path: string,
  findings: Findings,
  scope: Omit<Scope, 'names'>,
): void {
  const add = (where: string, message: string) => findings.problems.push({ path: where, message });
  if (!Array.isArray(list)) return void add(path, `must be a list of tasks, found ${show(list)}`);
  if (scope.depth > maxNesting) return void add(path, `is nested more than ${maxNesting} lists deep`);
  const names: string[] = [];
  const entries = list.flatMap((item: unknown, at) => {
    const own = pointer(path, at);
    if (item === undefined) return [];
    findings.tasks += 1;
    if (findings.tasks > maxTasks) return [];
    const keys = isObject(item) ? Object.keys(item) : [];
    // Names of broken items count too: a `then` to one of them is no mistake of its own.
    const [name] = keys;
    if (!isObject(item)) add(own, `must be an object whose one key is the task's name, found ${show(item)}`);
    else if (name === undefined || keys.length > 1)
      add(own, `must have exactly one key, the task's name, found ${keys.length}: ${show(keys.join(', '))}`);
    else {
      const problem = nameProblem(name, names);
      if (problem !== undefined) add(pointer(own, name), problem);
    }
    names.push(...keys);
    return isObject(item) && name !== undefined && keys.length === 1
      ? [{ path: pointer(own, name), task: item[name] }]
      : [];
  });
  for (const entry of entries) checkTask(entry.task, entry.path, findings, { ...scope, names });
}

function nameProblem(name: string, before: string[]): string | undefined {
  if (name.trim() === '') return "a task's name must not be empty";
  if (name.length > 200) return `a task's name has at most 200 characters, found ${name.length}`;
  if (forbiddenNames.includes(name)) return `\`${name}\` is not allowed as a task's name`;
  if (directives.includes(name)) return `\`${name}\` is a flow directive, not a task's name: choose another`;
  if (before.includes(name)) return `a second task named ${show(name)} in this list: names must differ`;
  return undefined;
}

function checkTask(task: unknown, path: string, findings: Findings, scope: Scope): void {
  if (!isObject(task)) {
    findings.problems.push({ path, message: `must be an object, found ${show(task)}` });
    return;
  }
  const found = keywordsOf(task);
  const [keyword = ''] = found;
  const kind = kinds.get(keyword);
  if (found.length === 1 && kind) checkKind(kind, task, path, findings, scope);
  else findings.problems.push(found.length > 1 ? severalKinds(found, path) : noKind(task, keyword, path));
}

const allKeywords = [...kinds.keys(), ...refusedKinds];
const quoted = (names: Iterable<string>) => [...names].map((name) => `\`${name}\``).join(', ');
const supported = `supported tasks are ${quoted(kinds.keys())}`;

const severalKinds = (found: string[], path: string): InputProblem => ({
  path,
  message: `has ${quoted(found)}: a task is one of them; make several tasks`,
});

function noKind(task: Record<string, unknown>, keyword: string, path: string): InputProblem {
  if (keyword !== '')
    return { path: pointer(path, keyword), message: `\`${keyword}\` is not supported yet; ${supported}` };
  const [unknown, ...more] = Object.keys(task).filter((key) => !Object.hasOwn(base, key));
  if (unknown === undefined || more.length > 0) {
    const saw =
      unknown === undefined ? '' : `, found ${quoted([unknown, ...more].map((key) => key.slice(0, 100)))}`;
    return { path, message: `has no keyword that says what it does${saw}; ${supported}` };
  }
  const hint = didYouMean(unknown, allKeywords) || `; ${supported}`;
  return { path: pointer(path, unknown), message: `unknown keyword \`${unknown.slice(0, 100)}\`${hint}` };
}

function checkKind(
  kind: TaskKind,
  task: Record<string, unknown>,
  path: string,
  findings: Findings,
  scope: Scope,
) {
  const at = ({ path: below, ...problem }: KindProblem) => ({
    path: pointer(path, ...below) + (problem.below ?? ''),
    message: problem.message,
  });
  const refused = [...refusedFields(task), ...(kind.refuse?.(task) ?? [])];
  const broken = schemaProblems(kind.schema, task, path, { suggest: allKeywords }).filter(
    (problem) => !refused.some((other) => covers(other, at(other).path, problem)),
  );
  findings.problems.push(...refused.map(at), ...broken);
  const whole = refused.length === 0 && broken.length === 0;
  if (whole) {
    findings.problems.push(...(kind.check?.(task, scope) ?? []).map(at));
    collect(findings.expressions, kind.expressions(task), path, scope.variables);
  }
  checkTargets(kind, task, path, findings, scope, whole);
  collect(findings.expressions, baseExpressions(task), path, scope.variables);
  const { verbs, functions = [] } = scope;
  const below = { verbs, functions, depth: scope.depth + 1 };
  const called = whole ? kind.called?.(task) : undefined;
  if (called) {
    findings.tasks += 1;
    const own = { ...below, variables: [], parallel: false, names: [] };
    if (below.depth <= maxNesting && findings.tasks <= maxTasks)
      for (const [name, inner] of Object.entries(called.item))
        checkTask(inner, pointer(path, ...called.path, name), findings, own);
  }
  for (const child of childrenOf(kind, task, whole))
    checkTasks(child.tasks, pointer(path, ...child.path), findings, {
      ...below,
      variables: [...scope.variables, ...(child.variables ?? [])],
      parallel: child.parallel ?? false,
    });
}

/** Whether what the schema says is said already: of a refused part, or of the key that it stands in for. */
const covers = (refused: KindProblem, path: string, { path: other, message }: InputProblem) =>
  other === path ||
  other.startsWith(`${path}/`) ||
  (refused.replaces !== undefined &&
    other === path.slice(0, path.lastIndexOf('/')) &&
    message === missing(refused.replaces));

/** Nested tasks are checked even when their parent is broken elsewhere, if they can be found. */
function childrenOf(kind: TaskKind, task: Record<string, unknown>, whole: boolean): Children[] {
  try {
    return kind.children(task).filter((child) => whole || Array.isArray(child.tasks));
  } catch (error) {
    if (whole) throw error; // `children` may rely on the schema
    return [];
  }
}

function checkTargets(
  kind: TaskKind,
  task: Record<string, unknown>,
  path: string,
  findings: Findings,
  scope: Scope,
  whole: boolean,
) {
  const own = typeof task.then === 'string' ? [{ path: ['then'], name: task.then }] : [];
  for (const target of [...own, ...(whole ? (kind.targets?.(task) ?? []) : [])]) {
    if (target.name === '' || directives.includes(target.name)) continue;
    const where = pointer(path, ...target.path);
    if (scope.parallel)
      findings.problems.push({
        path: where,
        message: `must be continue, exit or end, found ${show(target.name)}: branches run at once and cannot lead to each other`,
      });
    else if (!scope.names.includes(target.name)) {
      const hint = didYouMean(target.name, [...scope.names, ...directives]);
      findings.problems.push({
        path: where,
        message: `no task named ${show(target.name)} in the same list${hint}`,
      });
    }
  }
}
