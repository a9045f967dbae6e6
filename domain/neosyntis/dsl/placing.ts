import type { Json } from '../../wire.ts';
import { isExpression } from '../expressions.ts';
import { isObject, show } from '../json.ts';
import { onUnknownProblem } from '../on-unknown.ts';
import type { ExpressionField, KindProblem } from './kind.ts';

/** What `metadata` of a task that runs on a host may say of where it runs; everything else in it is free. */
interface PlacingMetadata {
  host?: unknown;
  capability?: unknown;
  onHostLoss?: unknown;
  idempotent?: unknown;
}

const name = /^[a-z0-9][a-z0-9_.-]{0,62}$/;
const hostName = /^[a-z0-9][a-z0-9-]{0,62}$/;
const isScalar = (value: unknown) => ['string', 'number', 'boolean'].includes(typeof value);

/** What is wrong with the part of `metadata` that is interpreted. */
export function placingProblems(metadata: Record<string, unknown> = {}): KindProblem[] {
  const { host, capability, onHostLoss, idempotent }: PlacingMetadata = metadata;
  const found: KindProblem[] = [];
  const add = (key: string, message: string) => found.push({ path: ['metadata', key], message });
  if (host !== undefined && !isExpression(host) && !(typeof host === 'string' && hostName.test(host)))
    add('host', `must be a host's name or an expression in \${ }, found ${show(host)}`);
  if (capability !== undefined && !isExpression(capability) && capabilitiesOf(capability) === undefined)
    add(
      'capability',
      `must be a capability's name, {name: value} with text, a number or a boolean, or a list of these, found ${show(capability)}`,
    );
  if (onHostLoss !== undefined && onHostLoss !== 'fail' && onHostLoss !== 'move')
    add('onHostLoss', `must be fail or move, found ${show(onHostLoss)}`);
  if (idempotent !== undefined && typeof idempotent !== 'boolean')
    add('idempotent', `must be true or false, found ${show(idempotent)}`);
  if (onHostLoss === 'move' && idempotent !== true)
    add(
      'onHostLoss',
      'may be move only beside `idempotent: true`: the step then may have had its effect on the lost host, and has it again',
    );
  return [...found, ...metadataProblems(metadata)];
}

/** What is wrong with the part of `metadata` that every step with an effect outside may have. */
export function metadataProblems(metadata: unknown): KindProblem[] {
  const message = onUnknownProblem(metadata);
  return message === undefined ? [] : [{ path: ['metadata', 'onUnknown'], message }];
}

/** Where a step runs may be computed; whether it may run twice may not. */
export const placingExpressions = (metadata: Record<string, unknown> = {}): ExpressionField[] => [
  { path: ['metadata', 'host'], value: metadata.host, bare: false },
  { path: ['metadata', 'capability'], value: metadata.capability, bare: false },
];

/** The capabilities asked for by name, null where any value will do; nothing when they are not well spelled. */
export function capabilitiesOf(asked: unknown): { [name: string]: Json } | undefined {
  const found: { [name: string]: Json } = {};
  for (const one of Array.isArray(asked) ? asked : [asked]) {
    const entries =
      typeof one === 'string' ? [[one, null] as const] : isObject(one) ? Object.entries(one) : [];
    if (entries.length === 0 || entries.length > 30) return undefined;
    for (const [key, value] of entries) {
      if (
        !name.test(key) ||
        !(value === null ? typeof one === 'string' : isScalar(value) || isExpression(value))
      )
        return undefined;
      found[key] = value as Json; // a scalar, or null
    }
  }
  return found;
}
