import type { TSchema } from 'typebox';
import { isObject, type Json, type JsonObject, plain } from './openapi-schemas.ts';

/**
 * An example of what a schema describes: its own first one, or composed from those of its parts.
 * @param parts which properties of objects to show: what is sent has the required ones, what is answered all.
 */
export const exampleOf = (schema: TSchema, parts: 'required' | 'all'): Json => compose(plain(schema), parts);

function compose(schema: Json, parts: 'required' | 'all'): Json {
  if (!isObject(schema)) return {};
  const { examples, anyOf, type } = schema;
  if (Array.isArray(examples) && examples[0] !== undefined) return examples[0];
  for (const value of [schema.const, schema.default]) if (value !== undefined) return value;
  if (Array.isArray(schema.enum)) return schema.enum[0] ?? null;
  if (Array.isArray(anyOf)) return compose(anyOf.find((branch) => !isNull(branch)) ?? null, parts);
  if (type === 'object') return composeObject(schema, parts);
  if (type === 'array')
    return Array.from({ length: count(schema) }, () => compose(schema.items ?? {}, parts));
  if (type === 'string') return composeString(schema);
  if (type === 'integer' || type === 'number') return number(schema.minimum, 0);
  if (type === 'boolean') return true;
  return type === 'null' ? null : {};
}

function composeObject(schema: JsonObject, parts: 'required' | 'all'): Json {
  const { properties, required } = schema;
  if (!isObject(properties)) return {};
  const needed = Array.isArray(required) ? required : [];
  const shown = Object.entries(properties).filter(([name]) => parts === 'all' || needed.includes(name));
  return Object.fromEntries(shown.map(([name, property]) => [name, compose(property ?? {}, parts)]));
}

const byFormat: Record<string, string> = {
  uuid: '019a9b4c-5d6e-7f80-8a1b-2c3d4e5f6071',
  'date-time': '2026-11-21T09:30:00.000Z',
  email: 'ada@example.org',
  uri: 'https://example.org/',
};

function composeString({ format, minLength }: JsonObject): string {
  const text = byFormat[String(format)] ?? 'text';
  return text.padEnd(number(minLength, 0), '.');
}

const count = ({ minItems }: JsonObject) => Math.max(1, number(minItems, 1));

const number = (value: Json | undefined, otherwise: number) =>
  typeof value === 'number' ? value : otherwise;

const isNull = (schema: Json) => isObject(schema) && schema.type === 'null';
