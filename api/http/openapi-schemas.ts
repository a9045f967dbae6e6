import { isDeepStrictEqual } from 'node:util';
import type { TSchema } from 'typebox';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** A schema as plain JSON: TypeBox keeps its own notes in properties that do not serialise. */
export const plain = (schema: TSchema): Json => JSON.parse(JSON.stringify(schema));

/**
 * Collects what has an `$id` under `components.schemas`.
 * @throws Error when two different schemas have the same `$id`.
 */
export function createComponents() {
  const schemas: JsonObject = {};

  function add(id: string, schema: JsonObject): JsonObject {
    const known = schemas[id];
    if (known !== undefined && !isDeepStrictEqual(known, schema))
      throw new Error(`two different schemas have the $id "${id}"`);
    schemas[id] = schema;
    return { $ref: `#/components/schemas/${id}` };
  }

  function visit(schema: Json): Json {
    if (Array.isArray(schema)) return schema.map(visit);
    if (!isObject(schema)) return schema;
    const { $id, ...keywords } = schema;
    const visited = mapValues(keywords, (value, keyword) => {
      if (dataKeywords.has(keyword)) return value;
      return mapKeywords.has(keyword) && isObject(value) ? mapValues(value, visit) : visit(value);
    });
    return typeof $id === 'string' ? add($id, visited) : visited;
  }

  return {
    schemas,
    /** The schema with references in the place of shared ones. */
    use: (schema: TSchema): Json => visit(plain(schema)),
    /** Shares a schema under a name. */
    share: (id: string, schema: TSchema): JsonObject => {
      const visited = visit(plain(schema));
      // a schema of ours is an object, never `true` or `false`
      return isReference(visited) ? visited : add(id, visited as JsonObject);
    },
  };
}

export type Components = ReturnType<typeof createComponents>;

/** What these hold is data, not schemas. */
const dataKeywords = new Set(['enum', 'const', 'default', 'examples']);

/** What these hold are schemas by names that people chose. */
const mapKeywords = new Set(['properties', 'patternProperties', '$defs']);

const mapValues = (object: JsonObject, change: (value: Json, key: string) => Json): JsonObject =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]));

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isReference = (value: Json): value is { $ref: string } =>
  isObject(value) && typeof value.$ref === 'string';
