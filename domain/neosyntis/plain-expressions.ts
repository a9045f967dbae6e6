import type { Json } from '../wire.ts';
import { pathValue } from './paths.ts';

/** One comparison or one sum of paths and literals: `.n + 1`, `.status == "done"`, `$item.size > $limit`. */
const path = String.raw`(?:\.|\$[A-Za-z_])[\w.\[\]]*`;
// No more digits than a double holds: jq keeps those of longer literals.
const literal = String.raw`(?:0|[1-9]\d{0,14})|(?:0|[1-9]\d{0,6})\.\d{1,7}|"[^"\\\x00-\x1f]*"|true|false|null`;
const operation = new RegExp(
  String.raw`^(${path}|${literal})\s*(==|!=|<=|>=|[-+*<>])\s*(${path}|${literal})$`,
);
/** Longer texts are jq's, whose results are measured. */
const TEXT_LENGTH = 4_096;
const isLiteral = new RegExp(`^(?:${literal})$`);

/**
 * The value of an expression that needs no jq, as jq gives it: a path, or one operation on numbers and scalars.
 * Nothing when it is more than that, or when jq would say that it is wrong.
 */
export function plainValue(
  source: string,
  input: Json,
  variables: Readonly<Record<string, Json>>,
): { value: Json } | undefined {
  const text = source.trim();
  const whole = pathValue(text, input, variables);
  if (whole) return whole;
  const [, left = '', operator = '', right = ''] = operation.exec(text) ?? [];
  if (operator === '') return undefined;
  const [a, b] = [operand(left, input, variables), operand(right, input, variables)];
  const value = a && b && operate(operator, a.value, b.value);
  return value === undefined ? undefined : { value };
}

const operand = (text: string, input: Json, variables: Readonly<Record<string, Json>>) =>
  isLiteral.test(text) ? { value: JSON.parse(text) as Json } : pathValue(text, input, variables);

function operate(operator: string, a: Json, b: Json): Json | undefined {
  if (operator === '==' || operator === '!=')
    return isScalar(a) && isScalar(b) ? (a === b) === (operator === '==') : undefined;
  if (operator === '+' && (a === null || b === null)) return a ?? b;
  if (operator === '+' && typeof a === 'string' && typeof b === 'string')
    return a.length + b.length <= TEXT_LENGTH ? a + b : undefined;
  if (typeof a !== 'number' || typeof b !== 'number') return undefined;
  const value = numbers[operator]?.(a, b);
  // What overflows jq gives as its largest number.
  return typeof value === 'number' && !Number.isFinite(value) ? undefined : value;
}

const numbers: Record<string, (a: number, b: number) => number | boolean> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

const isScalar = (value: Json): boolean => value === null || typeof value !== 'object';
