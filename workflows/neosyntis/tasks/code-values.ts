import { argumentText } from '../../../domain/neosyntis/code.ts';
import { capabilitiesOf } from '../../../domain/neosyntis/dsl/placing.ts';
import type { Wanted } from '../../../domain/system/placement.ts';
import type { Json } from '../../../domain/wire.ts';
import { failure } from '../engine/problem.ts';

/** What stands in a definition is JSON. */
export const asJson = (value: unknown): Json => (value === undefined ? null : (value as Json));

/** What an expression gave is checked here; what is written out was checked at save. */
export function wantedOf(host: Json | undefined, capability: Json | undefined): Wanted {
  const capabilities = capability === null ? {} : capabilitiesOf(capability);
  if (capabilities === undefined)
    throw failure(
      'validation',
      `metadata.capability is ${JSON.stringify(capability).slice(0, 100)}; it must name capabilities.`,
    );
  if (host === null || host === undefined) return { capabilities };
  if (typeof host !== 'string')
    throw failure(
      'validation',
      `metadata.host is ${JSON.stringify(host).slice(0, 100)}; it must be a host's name.`,
    );
  return { host, capabilities };
}

export const asList = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : []);

export const asObject = (value: Json | undefined): { [key: string]: Json } =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? value : {};

export function asText(value: Json, what: string): string {
  const text = argumentText(value);
  if (text !== undefined) return text;
  throw failure(
    'validation',
    `${what} is ${JSON.stringify(value).slice(0, 100)}; it must be text or a number.`,
  );
}
