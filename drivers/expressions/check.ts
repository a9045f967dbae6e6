import { type Jq, loadJq } from 'jq-wasm';
import { RE2JS } from 're2js';
import type { CheckExpressions } from '../../domain/neosyntis/definition.ts';
import { builtInVariables, expressionRefusal } from '../../domain/neosyntis/expressions.ts';
import { tokenize } from '../../domain/neosyntis/jq.ts';

interface Expression {
  source: string;
  variables: readonly string[];
  secrets?: boolean;
  authorization?: boolean;
  pattern?: boolean;
}

/** jq links its library anew for each program (2.5 ms): that many expressions share one. */
const batchSize = 200;
/** A person mends these first; checking more alone would take long. */
const maxFailures = 100;

/**
 * A check of expressions with an instance of jq of its own. Nothing is run: jq compiles the program and, given no
 * input at all, ends. What jq would do while compiling (folding `"a" * 1000000000`) is taken out before.
 */
export async function createExpressionCheck(): Promise<CheckExpressions> {
  const jq = await loadJq();
  return (expressions) => {
    const results = expressions.map(({ source, secrets = false, authorization = false, pattern }) =>
      pattern
        ? patternProblem(source)
        : source === ''
          ? 'is empty'
          : expressionRefusal(source, { secrets, authorization }),
    );
    const open = expressions.flatMap((expression, at) =>
      results[at] === undefined && expression.pattern !== true ? [{ expression, at }] : [],
    );
    let failures = 0;
    const settle = (part: typeof open): void => {
      if (part.length === 0 || failures >= maxFailures) return;
      if (
        part.length > 1 &&
        compile(jq, together(part.map(({ expression }) => expression)), []) === undefined
      )
        return;
      const [only] = part;
      if (part.length === 1 && only) {
        results[only.at] = compile(jq, harmless(only.expression.source), only.expression.variables);
        if (results[only.at] !== undefined) failures += 1;
        return;
      }
      const half = Math.ceil(part.length / 2);
      settle(part.slice(0, half));
      settle(part.slice(half));
    };
    for (let at = 0; at < open.length; at += batchSize) settle(open.slice(at, at + batchSize));
    return results;
  };
}

/** Regular expressions are those of RE2, whose time grows with the text and no faster. */
function patternProblem(source: string): string | undefined {
  try {
    RE2JS.compile(source);
    return undefined;
  } catch (error) {
    const reason =
      error instanceof Error ? error.message.replace('error parsing regexp: ', '') : String(error);
    return `is not a valid regular expression (RE2): ${reason}; for text as it stands write an expression: \${ . == "…" }`;
  }
}

/** One program of several; each was seen to close all that it opens, so none can reach into the next. */
const together = (expressions: Expression[]) =>
  expressions
    .map(({ source, variables }) => {
      const bound = variables.map((name) => `null as $${name} | `).join('');
      return `(${bound}${harmless(source)}\n)`;
    })
    .join(',');

const flags = (variables: readonly string[]) =>
  [...builtInVariables, ...variables].flatMap((name) => ['--argjson', name, 'null']);

function compile(jq: Jq, program: string, variables: readonly string[]): string | undefined {
  try {
    const { exitCode, stderr } = jq.raw('', program, flags(variables));
    return exitCode === 0 ? undefined : `is not valid jq: ${readable(stderr)}`;
  } catch (error) {
    // WebAssembly ends by a trap when it is out of memory or stack.
    return `cannot be compiled: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** jq multiplies literal strings while it compiles: with `*` about, they are emptied (their content is no syntax). */
function harmless(source: string): string {
  const { tokens } = tokenize(source);
  if (!tokens.some((token) => token.text === '*')) return source;
  let result = source;
  for (const { kind, text, at } of tokens)
    if (kind === 'string' && text.length > 1 && text.startsWith('"') && text.endsWith('"'))
      result = `${result.slice(0, at)}""${' '.repeat(text.length - 2)}${result.slice(at + text.length)}`;
  return result;
}

/** The first of jq's messages: `syntax error, unexpected end of file (line 1, column 4)`. */
function readable(stderr: string): string {
  const [first = ''] = stderr.split('\n');
  const found = /^jq: error: (.*?) at <top-level>, line (\d+), column (\d+):?$/.exec(first);
  return found ? `${found[1]} (line ${found[2]}, column ${found[3]})` : first.replace(/^jq: error: /, '');
}
