import type { Json } from '../wire.ts';

/**
 * `.`, `.a.b[0]`, `$input.a`, `$item["the name"]`: what most expressions are. A name follows the first dot at once,
 * and every other one a dot of its own, so that there is one way to read a text.
 */
const path =
  /^(?:\.([A-Za-z_]\w*)?|\$([A-Za-z_]\w*))((?:\.[A-Za-z_]\w*|\.?\[-?\d{1,9}\]|\.?\["[^"\\]*"\])*)$/;
const part = /\.?(?:([A-Za-z_]\w*)|\[(-?\d+)\]|\["([^"\\]*)"\])/y;

/**
 * The value of an expression that is only a path, as jq gives it, without starting jq; nothing when it is more than
 * that, or when jq would say that it is wrong.
 */
export function pathValue(
  text: string,
  input: Json,
  variables: Readonly<Record<string, Json>>,
): { value: Json } | undefined {
  const found = path.exec(text);
  if (!found) return undefined;
  const [, first, name, rest = ''] = found;
  // `..a` is something else.
  if (first === undefined && name === undefined && rest.startsWith('.')) return undefined;
  if (name !== undefined && !Object.hasOwn(variables, name)) return undefined;
  const whole = name === undefined ? input : (variables[name] ?? null);
  let value = first === undefined ? whole : child(whole, first);
  part.lastIndex = 0;
  for (let key = part.exec(rest); key && value !== undefined; key = part.exec(rest))
    value = child(value, key[1] ?? key[3] ?? Number(key[2]));
  return value === undefined ? undefined : { value };
}

/** Null has no parts but null; of anything else that has no such part jq says what is wrong. */
function child(value: Json, key: string | number): Json | undefined {
  if (value === null) return null;
  if (typeof key === 'number')
    return Array.isArray(value) ? (value[key < 0 ? value.length + key : key] ?? null) : undefined;
  if (typeof value !== 'object' || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, key) ? (value[key] ?? null) : null;
}
