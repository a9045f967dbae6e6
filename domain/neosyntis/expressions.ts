import type { Json } from '../wire.ts';
import { type Token, tokenize } from './jq.ts';
import { secretUses } from './secret-uses.ts';

/** The variables of runtime expressions (dsl.md, "Runtime expression arguments"), without `$`. */
export const builtInVariables: readonly string[] = [
  'context',
  'input',
  'output',
  'secrets',
  'authorization',
  'task',
  'workflow',
  'runtime',
];

/** Longer ones are refused at save. */
export const maxExpressionLength = 10_000;

/**
 * Whether a value is one expression in `${ … }` and nothing else (evaluate.mode: strict).
 * `${HOME}/bin` and `${ .a } of ${ .b }` are text.
 */
export function isExpression(value: unknown): value is string {
  if (typeof value !== 'string' || !value.includes('${')) return false;
  const text = value.trim();
  if (!text.startsWith('${') || !text.endsWith('}')) return false;
  const { end } = tokenize(text, 2);
  return end >= text.length - 1;
}

/** The jq source of an expression, without `${ }` when it has them. */
export const expressionSource = (value: string): string => {
  const text = value.trim();
  return isExpression(text) ? text.slice(2, -1).trim() : text;
};

const refusals: Record<string, string> = {
  $secrets:
    'is available only in `with` of a call and in `environment` and `stdin` of code: elsewhere its value would be kept with the run',
  $authorization:
    'is available only in `with` of a call to http, openapi or mcp: elsewhere its value would be kept with the run',
  input: 'reads from outside the run: use $input or .',
  inputs: 'reads from outside the run: use $input or .',
  input_filename: 'reads from outside the run',
  input_line_number: 'reads from outside the run',
  $__loc__: 'is not available',
  $ENV: "would read the platform's environment: pass values as the workflow's input",
  env: "would read the platform's environment: pass values as the workflow's input",
  now: 'differs each time it is evaluated: use $workflow.startedAt or $task.startedAt',
  localtime: "depends on the machine's time zone: use gmtime",
  strflocaltime: "depends on the machine's time zone: use strftime",
  debug: 'writes outside the run',
  stderr: 'writes outside the run',
  halt: 'would end the engine: use `then: end`',
  halt_error: 'would end the engine: use error',
  get_search_list: 'reads files',
  modulemeta: 'reads files',
  import: 'reads files: modules are not available',
  include: 'reads files: modules are not available',
};

/**
 * What an expression must not do, by name: it is evaluated again at replay and must give the same then.
 * @param allowed `secrets`: it stands where it may use secrets; it is then evaluated outside of the workflow.
 *   `authorization`: the same of `$authorization`.
 */
export function expressionRefusal(
  source: string,
  allowed: { secrets?: boolean; authorization?: boolean } = {},
): string | undefined {
  if (source.length > maxExpressionLength)
    return `is longer than ${maxExpressionLength} characters: split it over several tasks`;
  const { tokens, end, problem } = tokenize(source);
  if (problem !== undefined) return `is not valid jq: ${problem}`;
  if (end < source.length) return 'is not valid jq: "}" closes nothing';
  const refused = tokens.find(
    (token) =>
      Object.hasOwn(refusals, token.text) &&
      called(token) &&
      !(allowed.secrets === true && token.text === '$secrets') &&
      !(allowed.authorization === true && token.text === '$authorization'),
  );
  if (refused) return `uses \`${refused.text}\`, which ${refusals[refused.text]}`;
  return secretUses(source).problem;
}

const called = (token: Token) => token.kind === 'variable' || (token.kind === 'name' && !token.key);

/** What every expression may name; null where it means nothing. */
export const unbound: Readonly<Record<string, Json>> = Object.fromEntries(
  builtInVariables.map((name) => [name, null]),
);

/** Only what an expression mentions is passed to it: each variable costs its own serialisation. */
export const mentioned = (text: string, variables: Readonly<Record<string, Json>>): Record<string, Json> =>
  Object.fromEntries(Object.entries(variables).filter(([name]) => text.includes(`$${name}`)));
