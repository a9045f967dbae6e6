import type { CheckExpressions } from './definition.ts';
import { baseExpressions } from './dsl/base.ts';
import type { ExpressionField } from './dsl/kind.ts';
import { keywordsOf, kinds } from './dsl/kinds.ts';
import { builtInVariables, isExpression } from './expressions.ts';
import { extensionsOf, listsOf } from './extensions.ts';
import { tokenize } from './jq.ts';
import { isObject } from './json.ts';

/** Each is compiled when it is saved. */
export const MOST_LOOSE = 500;

type Holder = Record<string | number, unknown>;

type Loosely = Record<string, unknown> & { do?: unknown; use?: unknown };

interface Fields {
  /** A text that is evaluated; what holds it may be changed. */
  text(holder: Holder, key: string | number, text: string): void;
  /** Variables that some expressions see. */
  variables(names: readonly string[]): void;
}

/** Every text of a definition that is evaluated, where `${ }` is needed in strict mode. It may not have been checked. */
function eachText(value: Loosely, fields: Fields): void {
  function below(holder: unknown, keys: readonly (string | number)[]): void {
    const [key, ...rest] = keys;
    if (key === undefined || !(isObject(holder) || Array.isArray(holder))) return;
    const inner = (holder as Holder)[key]; // an object or a list
    if (rest.length > 0) below(inner, rest);
    else if (typeof inner === 'string') fields.text(holder as Holder, key, inner);
    else if (isObject(inner) || Array.isArray(inner))
      for (const name of Object.keys(inner)) below(inner, [name]);
  }
  function each(holder: Record<string, unknown>, found: readonly ExpressionField[]): void {
    for (const { path, value: given, bare, pattern, variables = [] } of found) {
      fields.variables(variables);
      // What is an expression by nature is one in both modes.
      if (!pattern && !(bare && typeof given === 'string')) below(holder, path);
    }
  }
  function enter(task: unknown): void {
    if (!isObject(task)) return;
    const kind = kinds.get(keywordsOf(task)[0] ?? '');
    if (!kind) return;
    each(task, [...baseExpressions(task), ...ifWell(() => kind.expressions(task))]);
    for (const { item } of ifWell(() => kind.called?.(task) ?? [])) Object.values(item).forEach(enter);
    for (const { tasks, variables = [] } of ifWell(() => kind.children(task))) {
      fields.variables(variables);
      list(tasks);
    }
  }
  function list(tasks: unknown): void {
    if (!Array.isArray(tasks)) return;
    for (const item of tasks) if (isObject(item)) Object.values(item).forEach(enter);
  }
  each(value, baseExpressions(value));
  list(value.do);
  for (const extension of extensionsOf(value.use)) for (const { tasks } of listsOf(extension)) list(tasks);
}

/** Kinds rely on their schemas: what is broken is told elsewhere. */
function ifWell<T>(work: () => T | readonly T[]): readonly T[] {
  try {
    const found = work();
    return Array.isArray(found) ? found : [found as T]; // one, or several
  } catch {
    return [];
  }
}

/** The texts of a definition that are expressions in loose mode: those that jq can compile, and that a run may evaluate. */
export function looseTexts(
  value: { do?: unknown; use?: unknown },
  checkExpressions: CheckExpressions,
): string[] | { problem: string } {
  const known = new Set<string>(builtInVariables);
  const texts = new Set<string>();
  eachText(value, {
    text: (_holder, _key, text) => void (isExpression(text) || texts.add(text)),
    variables: (names) => names.forEach((name) => void known.add(name)),
  });
  const open = [...texts].filter((text) => mayBe(text, known));
  if (open.length > MOST_LOOSE)
    return { problem: `more than ${MOST_LOOSE} texts look like expressions: use \`strict\` and \`\${ }\`` };
  const variables = [...known].filter((name) => !builtInVariables.includes(name));
  const wrong = checkExpressions(open.map((source) => ({ source, variables, secrets: true })));
  return open.filter((_text, at) => wrong[at] === undefined);
}

const keywords = new Set(
  'and or not if then elif else end as def reduce foreach try catch label import include'.split(' '),
);

/** Most texts are seen to be none without a compiler: two words in a row, or a variable that nobody has. */
function mayBe(text: string, known: ReadonlySet<string>): boolean {
  if (text.trim() === '') return false;
  const { tokens, end, problem } = tokenize(text);
  if (problem !== undefined || end < text.length) return false;
  return tokens.every((token, at) => {
    if (token.kind === 'variable') return known.has(token.text.slice(1));
    const next = tokens[at + 1];
    return (
      token.kind !== 'name' || next?.kind !== 'name' || keywords.has(token.text) || keywords.has(next.text)
    );
  });
}

/** Makes them expressions as strict mode has them; one that fails gives its own text. The value is changed. */
export function writeLoose(value: { do?: unknown; use?: unknown }, expressions: readonly string[]): void {
  const known = new Set(expressions);
  if (known.size === 0) return;
  eachText(value, {
    text(holder, key, text) {
      if (known.has(text)) holder[key] = `\${ try (${text}\n) catch ${JSON.stringify(text)} }`;
    },
    variables: () => {},
  });
}
