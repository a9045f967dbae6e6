import { isObject } from '../../../../domain/neosyntis/json.ts';
import { verbFailure } from '../outbound/failures.ts';

/** YAML takes a thousand times as long to read as JSON. */
const YAML_LIMIT_BYTES = 2 * 1024 * 1024;

/**
 * An OpenAPI document as of version 3; nothing that it refers to is fetched.
 * @param what the document's origin, for people.
 */
export async function readDocument(bytes: Uint8Array, what: string): Promise<Record<string, unknown>> {
  const value = await parsed(bytes, what);
  if (isObject(value) && value.swagger === '2.0') {
    const { upgradeFromTwoToThree } = await import('@scalar/openapi-upgrader/2.0-to-3.0');
    return { ...upgradeFromTwoToThree(value), ...bodyNames(value) };
  }
  if (!isObject(value) || typeof value.openapi !== 'string' || !/^3\.[012](\.|$)/.test(value.openapi))
    throw broken(`${what}: it is no OpenAPI document of version 2.0 or 3`);
  return value;
}

export const broken = (detail: string) => verbFailure({ kind: 'configuration', detail: `${detail}.` });

async function parsed(bytes: Uint8Array, what: string): Promise<unknown> {
  const text = new TextDecoder().decode(bytes);
  try {
    if (/^\s*[{[]/.test(text)) return JSON.parse(text);
  } catch {
    // It may be YAML that begins like JSON.
  }
  if (bytes.length > YAML_LIMIT_BYTES)
    throw broken(`${what}: as YAML it has more than ${YAML_LIMIT_BYTES} bytes; give it as JSON`);
  const { parse } = await import('yaml');
  try {
    return parse(text, { maxAliasCount: 100 });
  } catch {
    throw broken(`${what}: it is neither JSON nor YAML`); // the parser's words would quote it
  }
}

/** What version 2.0 calls the body of each operation; version 3 has no name for it. */
const BODY_NAMES = 'x-vareon-body-names';

function bodyNames({ paths, parameters }: Record<string, unknown>): Record<string, unknown> {
  const named: Record<string, string> = {};
  for (const item of Object.values(isObject(paths) ? paths : {}))
    for (const operation of Object.values(isObject(item) ? item : {}))
      if (
        isObject(operation) &&
        typeof operation.operationId === 'string' &&
        Array.isArray(operation.parameters)
      )
        for (const given of operation.parameters) {
          const ref =
            isObject(given) && typeof given.$ref === 'string' ? given.$ref.split('/').at(-1) : undefined;
          const parameter = ref !== undefined && isObject(parameters) ? parameters[ref] : given;
          if (isObject(parameter) && parameter.in === 'body' && typeof parameter.name === 'string')
            named[operation.operationId] = parameter.name;
        }
  return { [BODY_NAMES]: named };
}

export function bodyNameOf(document: Record<string, unknown>, operationId: string): string | undefined {
  const names = document[BODY_NAMES];
  const name = isObject(names) && Object.hasOwn(names, operationId) ? names[operationId] : undefined;
  return typeof name === 'string' ? name : undefined;
}
