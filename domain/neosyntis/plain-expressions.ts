import type { Json } from '../wire.ts';
import { pathValue } from './paths.ts';

const path = String.raw`(?:\.|\$[A-Za-z_])[\w.\[\]]*`;
// No more digits than a double holds: jq keeps those of longer literals.
const literal = String.raw`(?:0|[1-9]\d{0,6})\.\d{1,7}(?![\w.])|(?:0|[1-9]\d{0,14})(?![\w.])|"[^"\\\x00-\x1f]*"|(?:true|false|null)\b`;
const token = new RegExp(
  String.raw`\s*(?:(${path})|(${literal})|(==|!=|<=|>=|[-+*/<>()]|(?:and|or)\b))`,
  'y',
);
/** Longer expressions are jq's, which starts in the time that reading them takes. */
const SOURCE_LENGTH = 500;
/** Longer texts are jq's, whose results are measured. */
const TEXT_LENGTH = 4_096;

type Token = { path: string } | { literal: string } | { operator: string };
type Data = { input: Json; variables: Readonly<Record<string, Json>> };

/** From what binds least; those of one level are read from the left, and comparisons stand alone. */
const levels: readonly (readonly string[])[] = [
  ['or'],
  ['and'],
  ['==', '!=', '<', '<=', '>', '>='],
  ['+', '-'],
  ['*', '/'],
];
const COMPARISONS = 2;

/**
 * The value of an expression that needs no jq, as jq gives it: a path, or sums, comparisons, `and` and `or` of paths and
 * scalars. Nothing when it is more than that, or when jq would say that it is wrong.
 */
export function plainValue(
  source: string,
  input: Json,
  variables: Readonly<Record<string, Json>>,
): { value: Json } | undefined {
  const text = source.trim();
  const whole = pathValue(text, input, variables);
  if (whole) return whole;
  const tokens = tokensOf(text);
  if (!tokens || tokens.length < 3) return undefined;
  const reader = { tokens, at: 0 };
  const value = read(reader, 0, { input, variables });
  return value === undefined || reader.at < tokens.length ? undefined : { value };
}

function tokensOf(text: string): Token[] | undefined {
  if (text.length > SOURCE_LENGTH) return undefined;
  const found: Token[] = [];
  for (let at = 0; at < text.length; at = token.lastIndex) {
    token.lastIndex = at;
    const [whole, one, scalar, operator = ''] = token.exec(text) ?? [];
    if (whole === undefined) return undefined;
    found.push(one !== undefined ? { path: one } : scalar !== undefined ? { literal: scalar } : { operator });
  }
  return found;
}

interface Reader {
  tokens: readonly Token[];
  at: number;
}

function read(reader: Reader, level: number, data: Data): Json | undefined {
  const operators = levels[level];
  if (!operators) return operand(reader, data);
  let value = read(reader, level + 1, data);
  for (let count = 0; value !== undefined; count++) {
    const next = reader.tokens[reader.at];
    if (!next || !('operator' in next) || !operators.includes(next.operator)) return value;
    if (level === COMPARISONS && count > 0) return undefined;
    reader.at++;
    const right = read(reader, level + 1, data);
    value = right === undefined ? undefined : operate(next.operator, value, right);
  }
  return undefined;
}

function operand(reader: Reader, data: Data): Json | undefined {
  const next = reader.tokens[reader.at++];
  if (!next) return undefined;
  if ('path' in next) return pathValue(next.path, data.input, data.variables)?.value;
  if ('literal' in next) return JSON.parse(next.literal) as Json; // a scalar of the pattern
  if (next.operator !== '(') return undefined;
  const value = read(reader, 0, data);
  const end = reader.tokens[reader.at++];
  return end && 'operator' in end && end.operator === ')' ? value : undefined;
}

function operate(operator: string, a: Json, b: Json): Json | undefined {
  if (operator === 'and') return isTrue(a) && isTrue(b);
  if (operator === 'or') return isTrue(a) || isTrue(b);
  if (operator === '==' || operator === '!=')
    return isScalar(a) && isScalar(b) ? (a === b) === (operator === '==') : undefined;
  if (operator === '+' && (a === null || b === null)) return a ?? b;
  if (operator === '+' && typeof a === 'string' && typeof b === 'string')
    return a.length + b.length <= TEXT_LENGTH ? a + b : undefined;
  if (typeof a !== 'number' || typeof b !== 'number') return undefined;
  const value = numbers[operator]?.(a, b);
  // What overflows jq gives as its largest number; what is divided by nothing it refuses.
  return typeof value === 'number' && !Number.isFinite(value) ? undefined : value;
}

const numbers: Record<string, (a: number, b: number) => number | boolean> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

const isScalar = (value: Json): boolean => value === null || typeof value !== 'object';

/** jq's truth. */
const isTrue = (value: Json): boolean => value !== null && value !== false;
