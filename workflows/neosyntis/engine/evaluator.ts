import type { Jq } from 'jq-wasm';
import { isBounded } from '../../../domain/neosyntis/bounded.ts';
import { expressionSource, mentioned, unbound } from '../../../domain/neosyntis/expressions.ts';
import type { GuardedExpression, GuardedResult } from '../../../domain/neosyntis/guarded.ts';
import { plainValue } from '../../../domain/neosyntis/plain-expressions.ts';
import { EXPRESSION_LIMIT_BYTES } from '../../../domain/neosyntis/runs.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import { unstorable } from '../../../domain/storable.ts';
import type { Json } from '../../../domain/wire.ts';
import type { Budget } from './budget.ts';
import { forget } from './jq.ts';
import { failure, TaskFailure } from './problem.ts';
import { expressionsOf, filled } from './template.ts';

export type Variables = Readonly<Record<string, Json>>;

/** More data than this is not for the workflow's own thread: jq reads 170 KiB in 20 ms, and sorts it in a second. */
const INLINE_BYTES = 16 * 1024;

/**
 * Evaluates runtime expressions. Those that are linear in their input run here, inside the workflow; the
 * others go to `guarded`, an activity that ends them when they take too long or too much.
 */
export function createEvaluator(options: {
  /** jq, ready: each evaluation then takes the same number of turns at replay. */
  engine: Jq;
  guarded(expression: GuardedExpression): Promise<GuardedResult>;
  budget: Budget;
}) {
  async function source(text: string, input: Json, variables: Variables): Promise<Json> {
    const plain = plainValue(text, input, { ...unbound, ...variables });
    if (plain) return plain.value;
    const named = mentioned(text, { ...unbound, ...variables });
    const values =
      isBounded(text) && isSmall(input, named)
        ? await inline(text, input, named)
        : await outside(text, input, named);
    return limited(text, values);
  }

  /** What each of these gives. One run of jq does several, as most of its time goes into starting. */
  async function several(
    sources: string[],
    input: Json,
    variables: Variables,
  ): Promise<ReadonlyMap<string, Json>> {
    const all: Variables = { ...unbound, ...variables };
    const values = new Map<string, Json>();
    const small: string[] = [];
    for (const text of sources) {
      const plain = plainValue(text, input, all);
      if (plain) values.set(text, plain.value);
      else if (isBounded(text)) small.push(text);
    }
    const together = small.length > 1 ? `[${small.map((text) => `[(${text}\n)]`).join(',')}]` : undefined;
    if (together !== undefined && isSmall(input, mentioned(together, all))) {
      // One that fails, or gives several values, says so by itself, below.
      const [lists] = await inline(together, input, mentioned(together, all)).catch((error: unknown) => {
        if (error instanceof TaskFailure) return [];
        throw error;
      });
      if (Array.isArray(lists))
        for (const [index, list] of lists.entries())
          if (Array.isArray(list) && list.length < 2)
            values.set(small[index] ?? '', limited(small[index] ?? '', list));
    }
    for (const text of sources) if (!values.has(text)) values.set(text, await source(text, input, variables));
    return values;
  }

  async function inline(text: string, input: Json, variables: Record<string, Json>): Promise<Json[]> {
    await options.budget.step();
    const flags = Object.entries(variables).flatMap(([name, value]) => [
      '--argjson',
      name,
      JSON.stringify(value),
    ]);
    try {
      // The input goes in as JSON text: a string given as such would be read as JSON.
      return options.engine.json<Json>(JSON.stringify(input), text, flags);
    } catch (error) {
      if (!isJqError(error)) forget();
      throw failure('expression', `\${ ${text} } failed: ${message(error)}`);
    }
  }

  async function outside(text: string, input: Json, variables: Record<string, Json>): Promise<Json[]> {
    const result = await options.budget.inTurn(
      () => options.guarded({ source: text, input, variables }),
      (answer) => ('values' in answer ? byteLength(answer.values) : 0),
    );
    if ('problem' in result) throw failure('expression', `\${ ${text} } failed: ${result.problem}`);
    return result.values;
  }

  const evaluator = {
    /** A field that is an expression by nature, in `${ }` or bare. */
    expression: (text: string, input: Json, variables: Variables) =>
      source(expressionSource(text), input, variables),

    /** Whether a condition holds: jq's truth, where only false and null are not. */
    async condition(text: string, input: Json, variables: Variables): Promise<boolean> {
      const value = await evaluator.expression(text, input, variables);
      return value !== false && value !== null;
    },

    /** A value in which every string that is wholly `${ … }` is evaluated. */
    async template(value: unknown, input: Json, variables: Variables): Promise<Json> {
      const sources = [...expressionsOf(value)];
      return sources.length === 0
        ? (value as Json) // definitions are JSON
        : filled(value, await several(sources, input, variables));
    },

    /** `input.from`, `output.as` and `export.as`: one expression, or an object of them. */
    shape: (value: unknown, input: Json, variables: Variables): Promise<Json> =>
      typeof value === 'string'
        ? evaluator.expression(value, input, variables)
        : evaluator.template(value, input, variables),
  };
  return evaluator;
}

const isSmall = (input: Json, variables: Variables): boolean =>
  // Measured once a value: what has four times as many bytes is longer, too.
  byteLength(input) <= 4 * INLINE_BYTES && JSON.stringify([input, variables]).length <= INLINE_BYTES;

/** The one value of an expression. */
function limited(text: string, values: readonly Json[]): Json {
  if (values.length > 1)
    throw failure('expression', `\${ ${text} } gave ${values.length} values; wrap it in [ ] to get a list.`);
  const value = values[0] ?? null;
  const wrong = unstorable(value);
  if (wrong) throw failure('expression', `\${ ${text} } gave a value that ${wrong.what}.`);
  if (byteLength(value) > EXPRESSION_LIMIT_BYTES)
    throw failure(
      'expression',
      `\${ ${text} } gave more than ${EXPRESSION_LIMIT_BYTES} bytes of JSON, the limit.`,
    );
  return value;
}

export type Evaluator = ReturnType<typeof createEvaluator>;

/** Anything else is WebAssembly's: the instance may be broken. */
const isJqError = (error: unknown) => error instanceof Error && error.name === 'JqError';

const message = (error: unknown) =>
  (error instanceof Error ? error.message : String(error))
    .replace(/^jq: error( \(at [^)]*\))?: /, '')
    .slice(0, 1000);
