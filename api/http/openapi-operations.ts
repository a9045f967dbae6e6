import type { TObject } from 'typebox';
import { errorReferences, errorsOf } from './openapi-errors.ts';
import { exampleOf } from './openapi-examples.ts';
import { moduleOf } from './openapi-names.ts';
import { type Components, isObject, type Json, type JsonObject } from './openapi-schemas.ts';
import type { Access, Route } from './route.ts';
import type { SocketRoute } from './socket.ts';

export type DocumentedRoute = Omit<Route, 'handler'>;
export type DocumentedSocket = Pick<
  SocketRoute,
  'path' | 'access' | 'summary' | 'params' | 'query' | 'frames'
> & { description?: string };

export function routeOperation(route: DocumentedRoute, components: Components): JsonObject {
  const answers = Object.entries(route.answers).map(([status, answer]) => [
    status,
    answerResponse(Number(status), answer, route, components),
  ]);
  return {
    ...about(route),
    security: security(route.access, 'bearer'),
    parameters: [
      ...parameters(route.params, 'path', components),
      ...parameters(route.query, 'query', components),
      ...Object.entries(route.headers ?? {}).map(([name, description]) => ({
        name,
        in: 'header',
        description,
        schema: { type: 'string' },
      })),
    ],
    ...requestBody(route, components),
    responses: { ...errorReferences(errorsOf(route)), ...Object.fromEntries(answers) },
  };
}

export function socketOperation(id: string, socket: DocumentedSocket, components: Components): JsonObject {
  const frames = components.share(`${id.replace(/^watch/, '')}Frame`, socket.frames);
  const refusals = errorsOf({
    access: socket.access,
    errors: ['rate_limited'],
    ...(socket.params ? { params: socket.params } : {}),
  });
  return {
    ...about({
      ...socket,
      description: `A WebSocket. ${socket.description ?? ''} Each text frame is one JSON value: ${String(frames.$ref)}.`,
    }),
    security: [...security(socket.access, 'bearer'), ...security(socket.access, 'ticket')],
    parameters: [
      ...parameters(socket.params, 'path', components),
      ...parameters(socket.query, 'query', components),
    ],
    responses: {
      ...errorReferences(refusals),
      101: { description: `the WebSocket is open; frames follow as ${String(frames.$ref)} says` },
    },
    'x-frames': { schema: frames, example: exampleOf(socket.frames, 'all') },
  };
}

function about({
  path,
  access,
  summary,
  description,
}: Pick<DocumentedRoute, 'path' | 'access' | 'summary' | 'description'>) {
  const needs =
    {
      public: 'Needs no login.',
      login: 'Needs a login.',
      host: 'For worker hosts, by their own credential.',
    }[access as string] ?? `Needs \`${access}\`.`;
  return { tags: [moduleOf(path)], summary, description: description ? `${description}\n\n${needs}` : needs };
}

/** OpenAPI 3.1 allows roles for every kind of scheme; ours are permissions. */
const security = (access: Access, scheme: string): Json[] => {
  if (access === 'public') return [];
  if (access === 'host') return [{ host: [] }];
  return [{ [scheme]: access === 'login' ? [] : [access] }];
};

function parameters(
  schema: TObject | undefined,
  place: 'path' | 'query',
  components: Components,
): JsonObject[] {
  const required: readonly string[] = schema?.required ?? [];
  return Object.entries(schema?.properties ?? {}).map(([name, property]) => {
    const used = components.use(property);
    const description = place === 'query' ? describedBy(used) : undefined;
    return {
      name,
      in: place,
      required: place === 'path' || required.includes(name),
      ...(description ? { description } : {}),
      schema: used,
      ...(place === 'path' || required.includes(name) ? { example: exampleOf(property, 'required') } : {}),
    };
  });
}

const describedBy = (schema: Json): string | undefined =>
  isObject(schema) && typeof schema.description === 'string' ? schema.description : undefined;

function requestBody(route: DocumentedRoute, components: Components): JsonObject {
  const { body, bodyOptional, form, binaryBody, reads = {} } = route;
  if (binaryBody)
    return {
      requestBody: {
        required: true,
        description: `at most ${binaryBody.limitBytes} bytes`,
        content: binaryBody.types
          ? Object.fromEntries(
              Object.entries(binaryBody.types).map(([type, { schema, example }]) => [
                type,
                { schema: components.use(schema), example: example as Json }, // written beside the route, as JSON
              ]),
            )
          : { 'application/octet-stream': { schema: { type: 'string' }, example: 'bytes' } },
      },
    };
  if (!body) return {};
  const content = { schema: components.use(body), example: exampleOf(body, 'required') };
  return {
    requestBody: {
      required: bodyOptional !== true,
      content: {
        'application/json': content,
        ...(form ? { 'application/x-www-form-urlencoded': content } : {}),
        ...Object.fromEntries(
          Object.keys(reads).map((type) => [type, { schema: { type: 'string' }, example: 'text' }]),
        ),
      },
    },
  };
}

type Answer = DocumentedRoute['answers'][number];

function answerResponse(
  status: number,
  answer: Answer,
  route: DocumentedRoute,
  components: Components,
): JsonObject {
  return {
    description: answer.description,
    headers: {
      'X-Request-Id': { $ref: '#/components/headers/RequestId' },
      ...(status === 201 || status === 202 ? { Location: header('where the thing is') } : {}),
      ...(route.query?.properties.cursor
        ? { Link: header('the next page: `<…>; rel="next"` (RFC 8288)') }
        : {}),
    },
    ...answerContent(answer, components),
  };
}

const header = (description: string): JsonObject => ({ description, schema: { type: 'string' } });

function answerContent({ schema, type, example, texts = [] }: Answer, components: Components): JsonObject {
  if (!schema && !type) return {};
  return {
    content: {
      [type ?? 'application/json']: {
        schema: schema ? components.use(schema) : { type: 'string' },
        // what a route gives as an example is a part of its answer, so it is JSON
        example: example !== undefined ? (example as Json) : schema ? exampleOf(schema, 'all') : 'text',
      },
      ...Object.fromEntries(texts.map((text) => [text, { schema: { type: 'string' }, example: 'text' }])),
    },
  };
}
