import { type Static, Type } from 'typebox';
import { headerProblem } from '../outbound/request-rules.ts';

/** How a device behind HTTP is spoken to: `configuration.http`. */

export const httpMethods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
const Method = Type.Enum([...httpMethods]);
/** Below the URL of the connectionString. */
const Path = Type.String({ pattern: '^/(?!/)[^\\s#\\\\]*$', maxLength: 2_000, examples: ['/status'] });
const Pointer = Type.String({ pattern: '^(/.*)?$', maxLength: 300, description: 'JSON pointer' });
const SecretReference = Type.String({
  minLength: 1,
  maxLength: 63,
  description: 'the name of a secret that an administrator shares',
});

export const HttpSettings = Type.Object(
  {
    method: Type.Optional(Method),
    path: Type.Optional(Path),
    contentType: Type.Optional(Type.String({ maxLength: 200 })),
    headers: Type.Optional(
      Type.Record(Type.String(), Type.String({ maxLength: 2_000 }), { maxProperties: 20 }),
    ),
    secretHeaders: Type.Optional(
      Type.Record(
        Type.String(),
        Type.Object(
          { secret: SecretReference, prefix: Type.Optional(Type.String({ maxLength: 50 })) },
          { additionalProperties: false },
        ),
        { maxProperties: 10, description: 'headers whose values are secrets' },
      ),
    ),
    username: Type.Optional(Type.String({ maxLength: 200 })),
    passwordSecret: Type.Optional(SecretReference),
    emergency: Type.Optional(
      Type.Object(
        { method: Method, path: Path, body: Type.Optional(Type.String({ maxLength: 10_000 })) },
        {
          additionalProperties: false,
        },
      ),
    ),
    poll: Type.Optional(
      Type.Array(
        Type.Object(
          {
            path: Path,
            everyMs: Type.Integer({ minimum: 100, maximum: 86_400_000 }),
            readings: Type.Record(Type.String({ minLength: 1, maxLength: 100 }), Pointer, {
              minProperties: 1,
              maxProperties: 100,
            }),
          },
          { additionalProperties: false },
        ),
        {
          maxItems: 20,
          description: 'what is read again and again; readings by name, each at a JSON pointer',
        },
      ),
    ),
    alive: Type.Optional(
      Type.Object(
        { path: Path, everyMs: Type.Optional(Type.Integer({ minimum: 500, maximum: 3_600_000 })) },
        {
          additionalProperties: false,
          description:
            'what is asked to know that the device is there: the URL itself, each 2000 ms, unless given',
        },
      ),
    ),
    identity: Type.Optional(
      Type.Object(
        { path: Path, name: Type.Optional(Pointer), version: Type.Optional(Pointer) },
        { additionalProperties: false },
      ),
    ),
    timeoutMs: Type.Optional(
      Type.Integer({
        minimum: 50,
        maximum: 60_000,
        description: 'of what is asked without a command; 5000 unless given',
      }),
    ),
  },
  { additionalProperties: false },
);
export type HttpSettings = Static<typeof HttpSettings>;

/** Everything that is wrong beyond the schema. */
export function httpProblems(path: string, settings: HttpSettings): string[] {
  const headers = [
    ...Object.entries(settings.headers ?? {}),
    ...Object.entries(settings.secretHeaders ?? {}).map(([name, { prefix = '' }]): [string, string] => [
      name,
      prefix,
    ]),
  ];
  return [
    ...(path.includes('?')
      ? ['the connectionString of a device behind HTTP has no query: its commands have']
      : []),
    ...headers.flatMap(([name, value]) => {
      const problem = headerProblem(name, value);
      return problem ? [`the header "${name.slice(0, 60)}" ${problem}`] : [];
    }),
    ...Object.keys(settings.headers ?? {}).flatMap((name) =>
      /^(authorization|cookie|x-api-key)$/i.test(name)
        ? [`the header "${name}" is a secret: give it in http.secretHeaders`]
        : [],
    ),
    ...(settings.passwordSecret !== undefined && settings.username === undefined
      ? ['http.passwordSecret needs http.username']
      : []),
  ];
}
