import fc from 'fast-check';
import { fromSchema, type Generators, type Schema } from './from-schema.ts';
import { hostileNumbers, hostileText, hostileTexts } from './hostile.ts';
import { type Mutation, mutate, mutation } from './mutate.ts';
import { contentTypes, type Form, form } from './payload.ts';
import { importDocument, soundSteps, steps } from './steps.ts';

/** Who sends a request; `nonsense` sends an Authorization that is none. */
export type Who = 'owner' | 'admin' | 'other' | 'viewer' | 'apiToken' | 'host' | 'nobody' | 'nonsense';

/** Of a path's parameter: the id of a real thing, or text as it stands in the path. */
export type PathValue = { real: true } | { real: false; raw: string };

/** A request whose ids and logins are filled in when it is sent, so that it can be sent again and shrunk. */
export interface FuzzRequest {
  method: string;
  who: Who;
  values: Record<string, PathValue>;
  query: [name: string, value: string][];
  headers: Record<string, string>;
  body: { value: unknown; form: Form; type: string | undefined } | undefined;
}

/** Stands for something that the request needs and that exists only then (./things.ts). */
export const placeholder = (name: string) => `@@${name}@@`;
const placeholders = (...names: string[]) => fc.constantFrom(...names.map(placeholder));

const odd = fc.oneof(
  { weight: 3, arbitrary: hostileText },
  { weight: 1, arbitrary: fc.string({ maxLength: 20 }) },
);
const mostly = <T>(usual: fc.Arbitrary<T>, unusual: fc.Arbitrary<T>, weight = 4): fc.Arbitrary<T> =>
  fc.oneof({ weight, arbitrary: usual }, { weight: 1, arbitrary: unusual });

/** Fields whose schema does not tell what would get far. */
const properties: Generators['properties'] = {
  steps: fc.oneof({ weight: 3, arbitrary: steps }, { weight: 2, arbitrary: soundSteps }),
  username: mostly(placeholders('username', 'account'), fc.stringMatching(/^[a-z][a-z0-9]{3,12}$/), 2),
  password: placeholders('password'),
  old_password: placeholders('password'),
  new_password: placeholders('password'),
  refresh_token: placeholders('refresh'),
  token: placeholders('enrolment', 'verification', 'reset'),
};

const rawPath = fc.oneof(
  odd.map(percentEncoded),
  fc.constantFrom(
    ...[
      '%00',
      '%',
      '%2',
      '%zz',
      '%ff',
      '%c0%af',
      '..',
      '%2e%2e',
      '%2f',
      'a%2fb',
      ';',
      ':id',
      '*',
      '(a)',
      '%25',
      '%0a',
      '{id}',
    ],
  ),
  fc.uuid({ version: [1, 4, 7] }),
  fc.uuid().map((id) => id.toUpperCase()),
  fc.uuid().map((id) => `{${id}}`),
);

/** What a header may hold as bytes: the client refuses the rest itself. */
const headerText = (text: string) => text.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, '?');

const headers = fc.oneof(
  { weight: 5, arbitrary: fc.constant({}) },
  {
    weight: 2,
    arbitrary: fc.record(
      {
        'idempotency-key': fc.oneof(
          odd.map(headerText),
          fc.constantFrom('a', 'b', 'x'.repeat(255), 'x'.repeat(256)),
        ),
        'if-match': fc.oneof(odd.map(headerText), fc.constantFrom('*', '"a"', 'W/"a"', '"a", "b"', '"')),
        'if-none-match': fc.constantFrom('*', '"a"'),
        range: fc.constantFrom(
          'bytes=0-',
          'bytes=-1',
          'bytes=5-1',
          'bytes=0-1,3-4',
          `bytes=0-${'9'.repeat(30)}`,
          'x',
        ),
        accept: fc.constantFrom('text/html', 'x', '*/*;q=0', 'application/json'),
        origin: fc.constantFrom('null', 'https://evil.example', 'x', ''),
        expect: fc.constantFrom('100-continue', 'the unexpected'),
        'x-forwarded-for': odd.map(headerText),
        'x-http-method-override': fc.constantFrom('DELETE', 'x'),
        'content-encoding': fc.constantFrom('gzip', 'br', 'identity', 'x'),
        cookie: odd.map(headerText),
      },
      { requiredKeys: [] },
    ),
  },
) as fc.Arbitrary<Record<string, string>>; // the keys left out are not there

const whos: fc.Arbitrary<Who> = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom<Who>('owner', 'admin') },
  { weight: 2, arbitrary: fc.constantFrom<Who>('other', 'viewer', 'apiToken', 'host', 'nobody', 'nonsense') },
);

/** Requests for one operation of the OpenAPI document. */
export function requestsOf(operation: string, document: Schema): fc.Arbitrary<FuzzRequest> {
  const [method = '', path = ''] = operation.split(' ');
  const described: Schema = document.paths[path][method.toLowerCase()];
  const generators = { shared: document.components.schemas, properties };
  const inPath: Schema[] = described.parameters.filter((one: Schema) => one.in === 'path');
  const inQuery: Schema[] = described.parameters.filter((one: Schema) => one.in === 'query');
  const isForHosts = described.security.some((one: object) => 'host' in one);
  return fc.record({
    method: mostly(
      fc.constant(method),
      fc.constantFrom('GET', 'HEAD', 'OPTIONS', 'PATCH', 'DELETE', 'PUT', 'POST', 'PROPFIND'),
      30,
    ),
    who: isForHosts ? mostly(fc.constant<Who>('host'), whos) : whos,
    values: fc.record(
      Object.fromEntries(
        inPath.map(({ name }) => [
          name,
          mostly<PathValue>(
            fc.constant({ real: true }),
            rawPath.map((raw) => ({ real: false, raw })),
            3,
          ),
        ]),
      ),
    ),
    query: queryOf(inQuery, generators),
    headers,
    body: bodyOf(described.requestBody?.content?.['application/json']?.schema, path, generators),
  });
}

function queryOf(inQuery: Schema[], generators: Generators): fc.Arbitrary<[string, string][]> {
  const one = inQuery.map(({ name, schema }): fc.Arbitrary<[string, string]> => {
    // A request that waits is not a slow one.
    const plain = name === 'wait' ? fc.constantFrom('0', '1') : fromSchema(schema, generators).map(String);
    const strange =
      name === 'wait'
        ? fc.constantFrom('-1', '61', 'NaN', '1e400', '')
        : fc.oneof(odd, fc.constantFrom(...hostileNumbers).map(String));
    return fc.tuple(fc.constant(name), mostly(plain, strange, 2));
  });
  const stranger = fc.tuple(fc.constantFrom(...hostileTexts), odd);
  const any = one.length > 0 ? mostly(fc.oneof(...one), stranger, 8) : stranger;
  return mostly(fc.array(any, { maxLength: 3 }), fc.array(any, { maxLength: 40 }), 20).chain((list) =>
    one.length > 0 ? fc.constant(list) : mostly(fc.constant([]), fc.constant(list)),
  );
}

function bodyOf(
  schema: Schema | undefined,
  path: string,
  generators: Generators,
): fc.Arbitrary<FuzzRequest['body']> {
  const value = path.endsWith('/import') ? importDocument : fromSchema(schema ?? {}, generators);
  const changed = fc
    .tuple(value, mostly(fc.constant<Mutation[]>([]), fc.array(mutation, { minLength: 1, maxLength: 3 }), 1))
    .map(([whole, changes]) => mutate(whole, changes));
  const type = mostly(fc.constant(undefined), fc.constantFrom(...contentTypes), 8);
  const body = fc.record({ value: changed, form, type });
  return schema
    ? mostly(body, fc.constant(undefined), 20)
    : mostly<FuzzRequest['body']>(fc.constant(undefined), body, 10);
}

/** What may stand in a request line; half pairs of UTF-16 have no encoding. */
export function percentEncoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
