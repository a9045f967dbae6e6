import type { Json } from '../../../wire.ts';
import { isExpression } from '../../expressions.ts';
import { isObject, show } from '../../json.ts';

const variable = /\{([^{}]*)\}/g;

/** A template as it looks with values, to be checked before there are any. */
export const withoutVariables = (template: string): string => template.replaceAll(variable, '1');

/** Simple string expansion (RFC 6570, 3.2.2), as the specification limits it: top-level properties, scalars only. */
function expand(template: string, values: Json): string | { problem: string } {
  let problem: string | undefined;
  const text = template.replaceAll(variable, (_whole, name: string) => {
    const value = isObject(values) && Object.hasOwn(values, name) ? values[name] : null;
    if (value !== null && typeof value === 'object')
      problem ??= `{${name.slice(0, 100)}} is ${show(value)}; it must be text, a number, a boolean or null`;
    return value === null || typeof value === 'object' ? '' : encode(String(value));
  });
  return problem === undefined ? text : { problem };
}

/** All but unreserved characters (RFC 3986, 2.3). */
const encode = (text: string) =>
  encodeURIComponent(text.toWellFormed()).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );

/**
 * The arguments with the endpoint's template filled from the task's input. It is done before expressions are
 * evaluated: what they give is no template.
 */
export function expandEndpoint(
  args: Record<string, unknown>,
  input: Json,
): { args: Record<string, unknown> } | { problem: string } {
  const { endpoint } = args;
  const template = isObject(endpoint) ? endpoint.uri : endpoint;
  if (typeof template !== 'string' || isExpression(template)) return { args };
  const uri = expand(template, input);
  if (typeof uri !== 'string') return uri;
  return { args: { ...args, endpoint: isObject(endpoint) ? { ...endpoint, uri } : uri } };
}
