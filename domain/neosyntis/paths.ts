import type { Json } from '../wire.ts';

/** `.`, `.a.b[0]`, `$input.a`, `$item["the name"]`: what most expressions are. */
const path = /^(?:\.|\$([A-Za-z_]\w*))((?:\.?[A-Za-z_]\w*|\.?\[-?\d{1,9}\]|\.?\["[^"\\]*"\])*)$/;
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
  const [, name, rest = ''] = found;
  // jq reads `.a.b` and `$v.a`, `$v[0]`; two names need a dot between them, and `.` none before its first.
  if (!isWellDotted(rest, name === undefined)) return undefined;
  if (name !== undefined && !Object.hasOwn(variables, name)) return undefined;
  let value = name === undefined ? input : (variables[name] ?? null);
  part.lastIndex = 0;
  for (let key = part.exec(rest); key; key = part.exec(rest)) {
    const next = child(value, key[1] ?? key[3] ?? Number(key[2]));
    if (next === undefined) return undefined;
    value = next;
  }
  return { value };
}

/** After `$name` each name has its dot; after the first dot of a path, the first part has none. */
function isWellDotted(rest: string, afterDot: boolean): boolean {
  const [first = ''] = rest;
  if (afterDot && first === '.') return false;
  if (!afterDot && /^[A-Za-z_]/.test(first)) return false;
  return !/\][A-Za-z_]/.test(rest);
}

/** Null has no parts but null; of anything else that has no such part jq says what is wrong. */
function child(value: Json, key: string | number): Json | undefined {
  if (value === null) return null;
  if (typeof key === 'number')
    return Array.isArray(value) ? (value[key < 0 ? value.length + key : key] ?? null) : undefined;
  if (typeof value !== 'object' || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, key) ? (value[key] ?? null) : null;
}
