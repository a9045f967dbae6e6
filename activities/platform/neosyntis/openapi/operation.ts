import { isObject } from '../../../../domain/neosyntis/json.ts';
import { didYouMean } from '../../../../domain/neosyntis/nearest.ts';
import type {
  Operation,
  OperationParameter,
  ParameterPlace,
} from '../../../../domain/neosyntis/verbs/openapi.ts';
import { urlProblem } from '../../../../domain/outbound/request-rules.ts';
import { bodyNameOf, broken } from './document.ts';

type Part = Record<string, unknown>;

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'];
const places: readonly string[] = ['path', 'query', 'header', 'cookie'];
const isPlace = (value: unknown): value is ParameterPlace => places.includes(String(value));

/** OpenAPI 3.1, "Parameter Object": these are described elsewhere, and not sent by their parameters. */
const ignoredHeaders = ['accept', 'content-type', 'authorization'];

/**
 * What a document says of the operation with an id.
 * @param documentUrl what its relative URLs are relative to.
 */
export function findOperation(document: Part, operationId: string, documentUrl: string): Operation {
  const known: string[] = [];
  for (const [path, given] of Object.entries(partOf(document.paths))) {
    const item = resolved(document, given);
    for (const method of methods) {
      const operation = item[method];
      if (!isObject(operation) || typeof operation.operationId !== 'string') continue;
      if (operation.operationId === operationId)
        return describe(document, { path, item, method, operation, operationId, documentUrl });
      known.push(operation.operationId);
    }
  }
  throw broken(
    `The document has no operation ${JSON.stringify(operationId.slice(0, 100))}${didYouMean(operationId, known)}`,
  );
}

interface Found {
  path: string;
  item: Part;
  method: string;
  operation: Part;
  operationId: string;
  documentUrl: string;
}

function describe(
  document: Part,
  { path, item, method, operation, operationId, documentUrl }: Found,
): Operation {
  const server = serverUrl([operation.servers, item.servers, document.servers], documentUrl);
  const name = bodyNameOf(document, operationId);
  const body = bodyOf(document, operation.requestBody);
  return {
    method: method.toUpperCase(),
    url: `${server.replace(/\/+$/, '')}${path.startsWith('/') ? '' : '/'}${path}`,
    parameters: parametersOf(document, [item.parameters, operation.parameters]),
    ...(body ? { body: name === undefined ? body : { ...body, name } } : {}),
  };
}

const partOf = (value: unknown): Part => (isObject(value) ? value : {});

/** A part, or what it refers to within the document. */
function resolved(document: Part, given: unknown): Part {
  let part = partOf(given);
  for (let hops = 0; typeof part.$ref === 'string'; hops++) {
    const { $ref: reference } = part;
    if (!reference.startsWith('#/') || hops > 16)
      throw broken(
        `The document refers to ${JSON.stringify(reference.slice(0, 100))}; only references within it are followed`,
      );
    let target: unknown = document;
    for (const key of reference.slice(2).split('/')) {
      const name = unescaped(key);
      target = isObject(target) && Object.hasOwn(target, name) ? target[name] : undefined;
    }
    if (!isObject(target))
      throw broken(
        `The document refers to ${JSON.stringify(reference.slice(0, 100))}, which it does not have`,
      );
    part = target;
  }
  return part;
}

function unescaped(key: string): string {
  const text = key.replaceAll('~1', '/').replaceAll('~0', '~');
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function serverUrl(candidates: unknown[], documentUrl: string): string {
  const list = candidates.find((one): one is unknown[] => Array.isArray(one) && one.length > 0) ?? [];
  const server = partOf(list[0]);
  const variables = partOf(server.variables);
  const template = typeof server.url === 'string' && server.url !== '' ? server.url : '/';
  const text = template.replaceAll(/\{([^{}]*)\}/g, (whole, name: string) => {
    const value = Object.hasOwn(variables, name) ? partOf(variables[name]).default : undefined;
    return typeof value === 'string' || typeof value === 'number' ? String(value) : whole;
  });
  const url = URL.canParse(text, documentUrl) ? new URL(text, documentUrl).href : text;
  const problem = urlProblem(url);
  if (problem) throw broken(`The URL of the document's first server ${problem}`);
  return url;
}

/** Those of the operation stand for those of its path with the same name and place. */
function parametersOf(document: Part, lists: unknown[]): OperationParameter[] {
  const found = new Map<string, OperationParameter>();
  for (const given of lists.flatMap((list): unknown[] => (Array.isArray(list) ? list : []))) {
    const { name, in: place, required, style, explode, content } = resolved(document, given);
    if (typeof name !== 'string' || !isPlace(place)) continue;
    if (place === 'header' && ignoredHeaders.includes(name.toLowerCase())) continue;
    const usual = place === 'query' || place === 'cookie' ? 'form' : 'simple';
    const written = typeof style === 'string' ? style : usual;
    found.set(`${place} ${name}`, {
      name,
      in: place,
      required: place === 'path' || required === true,
      style: written,
      explode: typeof explode === 'boolean' ? explode : written === 'form',
      json: isObject(content) && Object.keys(content).some(isJson),
    });
  }
  return [...found.values()];
}

const isJson = (type: string) => /^[^;]*[/+]json\s*(;|$)/i.test(type);
const isForm = (type: string) => /^application\/x-www-form-urlencoded\s*(;|$)/i.test(type);

function bodyOf(document: Part, given: unknown): Operation['body'] {
  if (given === undefined) return undefined;
  const { content, required } = resolved(document, given);
  const types = Object.keys(partOf(content));
  const type = types.find(isJson) ?? types.find(isForm) ?? types.find((one) => !one.startsWith('multipart/'));
  if (type === undefined && types.length > 0)
    throw broken(`The operation takes ${types.slice(0, 5).join(', ')} only, which calls cannot send`);
  const schema = type !== undefined && isForm(type) ? partOf(partOf(content)[type]).schema : undefined;
  return {
    required: required === true,
    type: type === undefined || type.includes('*') ? 'application/json' : type,
    fields: Object.keys(partOf(resolved(document, schema).properties)),
  };
}
