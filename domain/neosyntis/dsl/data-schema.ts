import { type Static, Type } from 'typebox';
import { isObject, show } from '../json.ts';
import { jsonSchemaProblems } from '../json-schema.ts';
import { schemaProblems } from '../schema-problems.ts';
import { wantedSchema } from '../sources.ts';
import { ExternalResource, endpointProblems, refusedAtEndpoint } from './endpoint.ts';
import type { ExpressionField, KindProblem } from './kind.ts';

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

/** The expressions in the `resource` of a field's schema: its authentication may use secrets. */
export const resourceExpressions = (field: string, part: Record<string, unknown>): ExpressionField => ({
  path: [field, 'schema', 'resource'],
  value: isObject(part.schema) ? part.schema.resource : undefined,
  bare: false,
  secrets: true,
});

/** One that is still there was not read; where it is must be well all the same. */
function resourceProblems({ resource, document }: Record<string, unknown>, path: string[]): KindProblem[] {
  if (document !== undefined) return [{ path, message: 'stands beside `document`: leave one of them out' }];
  const at = (problem: { path: string; message: string }) => ({
    path,
    below: problem.path,
    message: problem.message,
  });
  const broken = schemaProblems(ExternalResource, resource, '');
  if (broken.length > 0 || !isObject(resource)) return broken.map(at);
  const wanted = wantedSchema(resource);
  if ('problem' in wanted && endpointProblems(resource.endpoint, '').length === 0)
    return [{ path, message: wanted.problem }];
  return [
    ...refusedAtEndpoint(resource.endpoint, '/endpoint'),
    ...endpointProblems(resource.endpoint, '/endpoint'),
  ].map(at);
}

function problemsOf(schema: Record<string, unknown>, path: string[]): KindProblem[] {
  const { format = 'json', document } = schema;
  const wrong: KindProblem[] = formats.includes(String(format))
    ? []
    : [
        {
          path: [...path, 'format'],
          message: `must be one of ${formats.join(', ')}, found ${show(format)}`,
        },
      ];
  if (Object.hasOwn(schema, 'resource'))
    return [...wrong, ...resourceProblems(schema, [...path, 'resource'])];
  if (document === undefined)
    return [...wrong, { path, message: '`document` or `resource`, the JSON Schema, is missing' }];
  return [
    ...wrong,
    ...jsonSchemaProblems(document).map(({ path: below, message }) => ({
      path: [...path, 'document'],
      below,
      message,
    })),
  ];
}
