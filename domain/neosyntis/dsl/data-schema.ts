import { type Static, Type } from 'typebox';
import { isObject, show } from '../json.ts';
import { jsonSchemaProblems } from '../json-schema.ts';
import type { KindProblem } from './kind.ts';

/** What `input.schema`, `output.schema` and `export.schema` hold; `dataSchemaProblems` says what is wrong with one. */
export const DataSchema = Type.Object(
  {
    format: Type.Optional(Type.Unknown()),
    document: Type.Optional(Type.Unknown()),
    resource: Type.Optional(Type.Unknown()),
  },
  { additionalProperties: false },
);

export type DataSchema = Static<typeof DataSchema>;

const formats = ['json', 'json:draft-06', 'json:draft-07', 'json:2019-09', 'json:2020-12'];

/** What is wrong with the `schema` of the given fields (`input`, `output`, `export`), if they have one. */
export const dataSchemaProblems = (
  holder: Record<string, unknown>,
  fields: readonly string[],
): KindProblem[] =>
  fields.flatMap((field) => {
    const part = holder[field];
    return isObject(part) && isObject(part.schema) ? problemsOf(part.schema, [field, 'schema']) : [];
  });

function problemsOf(schema: Record<string, unknown>, path: string[]): KindProblem[] {
  const { format = 'json', document } = schema;
  if (Object.hasOwn(schema, 'resource'))
    return [
      {
        path: [...path, 'resource'],
        message: '`resource` is not supported yet: put the schema in `document`',
      },
    ];
  const wrong: KindProblem[] = formats.includes(String(format))
    ? []
    : [
        {
          path: [...path, 'format'],
          message: `must be one of ${formats.join(', ')}, found ${show(format)}`,
        },
      ];
  if (document === undefined) return [...wrong, { path, message: '`document`, the JSON Schema, is missing' }];
  return [
    ...wrong,
    ...jsonSchemaProblems(document).map(({ path: below, message }) => ({
      path: [...path, 'document'],
      below,
      message,
    })),
  ];
}
