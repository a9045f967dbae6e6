import { isObject } from '../../../../domain/neosyntis/json.ts';
import { didYouMean } from '../../../../domain/neosyntis/nearest.ts';
import type { Operation, OperationParameter } from '../../../../domain/neosyntis/verbs/openapi.ts';
import { urlProblem } from '../../../../domain/outbound/request-rules.ts';
import type { Json } from '../../../../domain/wire.ts';
import type { OutboundRequest } from '../../../../drivers/outbound/port.ts';
import { verbFailure } from '../outbound/failures.ts';
import { bodyOf } from '../outbound/request-body.ts';

type Given = Readonly<Record<string, Json>>;

const wrong = (detail: string) => verbFailure({ kind: 'validation', detail: `openapi: ${detail}.` });

/** The request that calls an operation with these parameters. */
export function requestOf(
  operation: Operation,
  given: Given,
): Pick<OutboundRequest, 'method' | 'url' | 'headers' | 'body'> {
  const body = bodyValue(operation, given);
  refuseUnknown(operation, given);
  const pairs = { path: new Map<string, string>(), query: [] as string[], cookie: [] as string[] };
  const headers: Record<string, string> = {};
  for (const parameter of operation.parameters) {
    const value = Object.hasOwn(given, parameter.name) ? given[parameter.name] : undefined;
    if (value === undefined || (value === null && parameter.in !== 'path')) {
      if (parameter.required) throw wrong(`the parameter "${parameter.name}" is missing`);
      continue;
    }
    if (parameter.in === 'path') pairs.path.set(parameter.name, inPath(parameter, value));
    else if (parameter.in === 'header')
      headers[parameter.name.toLowerCase()] = joined(parameter, value, String);
    else pairs[parameter.in].push(...inForm(parameter, value));
  }
  if (pairs.cookie.length > 0) headers.cookie = pairs.cookie.join('; ');
  const path = operation.url.replaceAll(
    /\{([^{}]*)\}/g,
    (whole, name: string) => pairs.path.get(name) ?? whole,
  );
  const query = pairs.query.join('&');
  const url = query === '' ? path : `${path}${path.includes('?') ? '&' : '?'}${query}`;
  const problem = urlProblem(url);
  if (problem) throw wrong(`the URL of the operation ${problem}`);
  return { method: operation.method, url, ...sent(operation, body, headers) };
}

function sent({ body: described }: Operation, value: Json | undefined, headers: Record<string, string>) {
  if (!described || value === undefined) return { headers };
  const typed = { ...headers, 'content-type': described.type };
  const isJson = /^[^;]*[/+]json\s*(;|$)/i.test(described.type);
  return isJson ? { headers: typed, body: JSON.stringify(value) } : bodyOf(value, typed);
}

/** `body`, or as version 2.0 of a document names it, or the fields of a form one by one. */
function bodyValue({ body, parameters }: Operation, given: Given): Json | undefined {
  if (!body) return undefined;
  const names = [body.name, 'body'].filter((name) => name !== undefined);
  const name = names.find(
    (one) => Object.hasOwn(given, one) && !parameters.some((other) => other.name === one),
  );
  if (name !== undefined) return given[name];
  const fields = body.fields.filter((field) => Object.hasOwn(given, field));
  if (fields.length > 0) return Object.fromEntries(fields.map((field) => [field, given[field] ?? null]));
  if (body.required) throw wrong('the operation needs a `body` among its parameters');
  return undefined;
}

function refuseUnknown({ body, parameters }: Operation, given: Given): void {
  const known = [
    ...parameters.map(({ name }) => name),
    ...(body ? ['body', ...(body.name === undefined ? [] : [body.name]), ...body.fields] : []),
  ];
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const hint = didYouMean(unknown, known) || `; known: ${known.slice(0, 20).join(', ') || 'none'}`;
  throw wrong(`the operation has no parameter "${unknown.slice(0, 100)}"${hint}`);
}

const text = (value: Json) =>
  typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '');

/** All but unreserved characters (RFC 3986, 2.3). */
const encode = (value: string) =>
  encodeURIComponent(value.toWellFormed()).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );

/** Lists and objects as `simple` has them: `a,b`; `k,v`, or exploded `k=v`. */
function joined(
  { explode, json }: OperationParameter,
  value: Json,
  encoded: (part: string) => string,
): string {
  if (json) return encoded(JSON.stringify(value));
  if (Array.isArray(value)) return value.map((item) => encoded(text(item))).join(',');
  if (!isObject(value)) return encoded(text(value));
  return Object.entries(value)
    .map(([key, item]) => `${encoded(key)}${explode ? '=' : ','}${encoded(text(item as Json))}`) // arguments are JSON
    .join(',');
}

function inPath(parameter: OperationParameter, value: Json): string {
  if (parameter.style !== 'simple')
    throw wrong(
      `the parameter "${parameter.name}" has the style ${parameter.style}, which calls cannot send`,
    );
  const path = joined(parameter, value, encode);
  // A server would read a step up, or nothing at all, as another operation.
  if (path === '' || path === '.' || path === '..')
    throw wrong(
      `the parameter "${parameter.name}" is ${path === '' ? 'empty' : `"${path}"`}, which no path can hold`,
    );
  return path;
}

const separators: Record<string, string> = { form: ',', spaceDelimited: '%20', pipeDelimited: '%7C' };

function inForm(parameter: OperationParameter, value: Json): string[] {
  const { style, explode, json } = parameter;
  const name = encode(parameter.name);
  if (json) return [`${name}=${encode(JSON.stringify(value))}`];
  if (style === 'deepObject' && isObject(value))
    return Object.entries(value).map(
      ([key, item]) => `${name}[${encode(key)}]=${encode(text(item as Json))}`,
    );
  const separator = separators[style];
  if (separator === undefined)
    throw wrong(`the parameter "${parameter.name}" has the style ${style}, which calls cannot send`);
  if (Array.isArray(value)) {
    const items = value.map((item) => encode(text(item)));
    return explode ? items.map((item) => `${name}=${item}`) : [`${name}=${items.join(separator)}`];
  }
  if (!isObject(value)) return [`${name}=${encode(text(value))}`];
  const entries = Object.entries(value).map(([key, item]) => [encode(key), encode(text(item as Json))]);
  return explode
    ? entries.map(([key, item]) => `${key}=${item}`)
    : [`${name}=${entries.flat().join(separator)}`];
}
