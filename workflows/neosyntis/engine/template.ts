import { expressionSource, isExpression } from '../../../domain/neosyntis/expressions.ts';
import type { Json } from '../../../domain/wire.ts';

/** The source of each expression in a value, once. */
export function expressionsOf(template: unknown, found: Set<string> = new Set()): Set<string> {
  if (typeof template === 'string') {
    if (isExpression(template)) found.add(expressionSource(template));
  } else if (template !== null && typeof template === 'object')
    for (const item of Object.values(template)) expressionsOf(item, found);
  return found;
}

/** The value with what its expressions gave in their places. */
export function filled(template: unknown, values: ReadonlyMap<string, Json>): Json {
  if (typeof template === 'string')
    return isExpression(template) ? (values.get(expressionSource(template)) ?? null) : template;
  if (Array.isArray(template)) return template.map((item) => filled(item, values));
  if (template === null || typeof template !== 'object') return template as Json; // definitions are JSON
  return Object.fromEntries(Object.entries(template).map(([key, item]) => [key, filled(item, values)]));
}
