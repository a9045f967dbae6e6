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

  function visit(value: Json): Json {
    if (Array.isArray(value)) return value.map(visit);
    if (value === null || typeof value !== 'object') return value;
    const { $id, ...rest } = value;
    const visited = Object.fromEntries(
      // What these hold is data, not schemas.
      Object.entries(rest).map(([key, item]) => [
        key,
        dataKeywords.has(key) && isSchema(value) ? item : visit(item),
      ]),
    );
    return typeof $id === 'string'
      ? add($id, visited)
      : $id === undefined
        ? visited
        : { $id: visit($id), ...visited };
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

const dataKeywords = new Set(['enum', 'const', 'default', 'examples']);

/** Tells a schema from a map of properties that may have a property named like a keyword. */
const isSchema = (value: JsonObject): boolean =>
  ['type', 'enum', 'const', 'anyOf', 'allOf', 'oneOf', '$ref'].some((key) => {
    const found = value[key];
    return (
      typeof found === 'string' ||
      typeof found === 'number' ||
      typeof found === 'boolean' ||
      Array.isArray(found)
    );
  });

const isReference = (value: Json): value is { $ref: string } =>
  value !== null && typeof value === 'object' && !Array.isArray(value) && typeof value.$ref === 'string';
