import fc from 'fast-check';

/** A JSON Schema of the OpenAPI document. */
// biome-ignore lint/suspicious/noExplicitAny: schemas have many shapes
export type Schema = Record<string, any>;

export interface Generators {
  /** By `components.schemas` name. */
  shared: Record<string, Schema>;
  /** Values for properties that a schema says too little about, by name. */
  properties: Record<string, fc.Arbitrary<unknown>>;
}

/** Values that a schema allows, most of the time; the judge does not rely on it. */
export function fromSchema(schema: Schema, generators: Generators, depth = 0): fc.Arbitrary<unknown> {
  const inner = (next: Schema) => fromSchema(next, generators, depth + 1);
  if (schema.$ref) return inner(generators.shared[schema.$ref.split('/').at(-1)] ?? {});
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return fc.oneof(...choices.map(inner));
  if (Array.isArray(schema.type))
    return fc.oneof(...schema.type.map((type: string) => inner({ ...schema, type })));
  const plain = ofType(schema, inner, generators);
  const examples = schema.examples ?? (schema.example === undefined ? [] : [schema.example]);
  return examples.length > 0 ? fc.oneof(plain, fc.constantFrom(...examples)) : plain;
}

function ofType(schema: Schema, inner: (schema: Schema) => fc.Arbitrary<unknown>, generators: Generators) {
  switch (schema.type) {
    case 'object':
      return object(schema, inner, generators);
    case 'array':
      return fc.array(inner(schema.items ?? {}), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 4, (schema.minItems ?? 0) + 4),
      });
    case 'string':
      return text(schema);
    case 'integer':
    case 'number':
      return number(schema);
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

function object(
  schema: Schema,
  inner: (schema: Schema) => fc.Arbitrary<unknown>,
  { properties }: Generators,
) {
  const names = Object.keys(schema.properties ?? {});
  if (names.length === 0)
    return fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), fc.jsonValue({ maxDepth: 1 }), {
      maxKeys: 3,
    });
  const fields = Object.fromEntries(
    names.map((name) => [name, properties[name] ?? inner(schema.properties[name])]),
  );
  return fc.record(fields, { requiredKeys: schema.required ?? [] });
}

function text({ format, pattern, minLength = 0, maxLength }: Schema): fc.Arbitrary<unknown> {
  if (format === 'uuid') return fc.uuid();
  if (format === 'email') return fc.stringMatching(/^[a-z]{1,12}@[a-z]{1,8}\.org$/);
  if (format === 'date-time')
    return fc
      .date({ noInvalidDate: true, min: new Date(0), max: new Date('2200-01-01') })
      .map((date) => date.toISOString());
  // Lookaheads only narrow a pattern down, and fast-check cannot follow them.
  if (pattern) return fc.stringMatching(new RegExp(pattern.replaceAll(/\(\?[=!][^)]*\)/g, '')));
  return fc.string({ minLength, maxLength: Math.min(maxLength ?? 40, minLength + 40) });
}

function number({ type, minimum, maximum, exclusiveMinimum }: Schema): fc.Arbitrary<unknown> {
  const min = minimum ?? (exclusiveMinimum === undefined ? -1e6 : exclusiveMinimum + 1);
  const max = maximum ?? 1e6;
  return type === 'integer'
    ? fc.integer({ min: Math.ceil(min), max: Math.min(Math.floor(max), 2 ** 31 - 1) })
    : fc.double({ min, max, noNaN: true });
}
