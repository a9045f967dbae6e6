import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import type { InputProblem } from '../errors.ts';
import { pointer } from '../pointer.ts';
import { isObject, show } from './json.ts';
import { didYouMean } from './nearest.ts';

/** The parts of a JSON Schema that decide where to look; the leaves are checked by TypeBox. */
interface Shape {
  type?: string;
  const?: unknown;
  anyOf?: Shape[];
  properties?: Record<string, Shape>;
  patternProperties?: Record<string, Shape>;
  required?: string[];
  items?: Shape;
}

export interface SchemaOptions {
  /** Values that stand for any other, such as expressions that are not evaluated yet. */
  accept?(value: unknown): boolean;
  /** Words besides the outermost object's keys that an unknown key may have meant. */
  suggest?: readonly string[];
}

/**
 * What is wrong with a value, one problem for each mistake: of a union only the alternative that the value
 * resembles is checked; an unknown key is reported at its own pointer, with the key that was probably meant.
 */
export function schemaProblems(
  schema: TSchema,
  value: unknown,
  path: string,
  options: SchemaOptions = {},
): InputProblem[] {
  return problems(schema as Shape, value, path, options); // a TypeBox schema is the JSON Schema itself
}

function problems(shape: Shape, value: unknown, path: string, options: SchemaOptions): InputProblem[] {
  if (options.accept?.(value)) return [];
  if (shape.anyOf) return unionProblems(shape.anyOf, value, path, options);
  if ('const' in shape)
    return value === shape.const
      ? []
      : [{ path, message: `must be ${show(shape.const)}, found ${show(value)}` }];
  if (shape.type !== undefined && !isOf(shape.type, value))
    return [{ path, message: `must be ${article(shape.type)}, found ${show(value)}` }];
  const own = leafProblems(shape, value, path);
  if (Array.isArray(value) && shape.items) {
    const items = shape.items;
    return [...own, ...value.flatMap((item, at) => problems(items, item, pointer(path, at), options))];
  }
  return isObject(value) && shape.type === 'object'
    ? [...own, ...objectProblems(shape, value, path, options)]
    : own;
}

function objectProblems(shape: Shape, value: Record<string, unknown>, path: string, options: SchemaOptions) {
  const names = Object.keys(shape.properties ?? {});
  const anyKey = Object.values(shape.patternProperties ?? {})[0];
  const { suggest = [], ...inner } = options;
  const found: InputProblem[] = [];
  let misspelt: string[] = [];
  for (const [key, item] of Object.entries(value)) {
    const property = Object.hasOwn(shape.properties ?? {}, key) ? shape.properties?.[key] : anyKey;
    if (property) found.push(...problems(property, item, pointer(path, key), inner));
    else {
      const free = [...names, ...suggest].filter((name) => !Object.hasOwn(value, name));
      const hint = didYouMean(key, free);
      if (hint !== '') misspelt = [...misspelt, hint];
      const all = hint || `; known: ${names.join(', ')}`;
      found.push({ path: pointer(path, key), message: `unknown key \`${key.slice(0, 100)}\`${all}` });
    }
  }
  // A misspelt key is one mistake, not also a missing one.
  for (const name of shape.required ?? [])
    if (!Object.hasOwn(value, name) && !misspelt.some((hint) => hint.includes(`\`${name}\``)))
      found.push({ path, message: missing(name) });
  return found;
}

export const missing = (name: string): string => `\`${name}\` is missing`;

function unionProblems(
  shapes: Shape[],
  value: unknown,
  path: string,
  options: SchemaOptions,
): InputProblem[] {
  if (shapes.every((shape) => 'const' in shape)) {
    const values = shapes.map((shape) => shape.const);
    const hint = typeof value === 'string' ? didYouMean(value, values.map(String)) : '';
    return values.includes(value)
      ? []
      : [{ path, message: `must be one of ${values.map(show).join(', ')}, found ${show(value)}${hint}` }];
  }
  const fitting = shapes.filter((shape) => shape.type !== undefined && isOf(shape.type, value));
  const chosen = isObject(value)
    ? (fitting.find((shape) => shape.required?.every((name) => Object.hasOwn(value, name))) ?? fitting[0])
    : fitting[0];
  if (chosen) return problems(chosen, value, path, options);
  const kinds = shapes.map((shape) => article(shape.type ?? 'value')).join(' or ');
  return [{ path, message: `must be ${kinds}, found ${show(value)}` }];
}

/** Lengths, ranges, patterns and counts of this value alone. */
function leafProblems(shape: Shape, value: unknown, path: string): InputProblem[] {
  const { properties: _, patternProperties: __, required: ___, items: ____, ...leaf } = shape;
  const open = { ...leaf, additionalProperties: true } as TSchema; // a JSON Schema without its nested ones
  return [...Value.Errors(open, value)].slice(0, 1).map(({ message }) => ({
    path,
    message: typeof value === 'object' ? message : `${message}, found ${show(value)}`,
  }));
}

function isOf(type: string, value: unknown): boolean {
  if (type === 'object') return isObject(value);
  if (type === 'array') return Array.isArray(value);
  if (type === 'null') return value === null;
  if (type === 'integer') return Number.isInteger(value);
  return typeof value === type;
}

const article = (type: string) => (/^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`);
