import { pointer } from '../pointer.ts';
import type { Json } from '../wire.ts';
import { expressionSource, isExpression } from './expressions.ts';
import { secretUses, usesAuthorization, usesSecrets } from './secret-uses.ts';

/** Keys and positions from the template down. */
export type Position = (string | number)[];

/**
 * Expressions of a template that use `$secrets`, with the data they need: a workflow hands them on as they are,
 * null in their places, and the activity that needs the values looks the secrets up and evaluates them.
 */
export interface Sealed {
  expressions: { at: Position; source: string }[];
  input: Json;
  /** Those that the expressions mention, `$secrets` and `$authorization` excepted. */
  variables: Record<string, Json>;
}

const isGuarded = (source: string): boolean => usesSecrets(source) || usesAuthorization(source);

/** A template with null where expressions use `$secrets` or `$authorization`, and these. */
export function withoutSecrets(template: unknown): { rest: unknown; expressions: Sealed['expressions'] } {
  const expressions: Sealed['expressions'] = [];
  const visit = (value: unknown, at: Position): unknown => {
    if (isExpression(value) && isGuarded(expressionSource(value))) {
      expressions.push({ at, source: expressionSource(value) });
      return null;
    }
    if (Array.isArray(value)) return value.map((item, index) => visit(item, [...at, index]));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, visit(item, [...at, key])]));
  };
  return { rest: visit(template, []), expressions };
}

/** Every secret that these expressions use. */
export const namesOf = ({ expressions }: Pick<Sealed, 'expressions'>): string[] => [
  ...new Set(expressions.flatMap(({ source }) => secretUses(source).names)),
];

/** A value with another one at a position, where it has null. */
export function putAt(value: Json, [key, ...rest]: Position, what: Json): Json {
  if (key === undefined) return what;
  if (Array.isArray(value))
    return value.map((item, index) => (index === key ? putAt(item, rest, what) : item));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, name === key ? putAt(item, rest, what) : item]),
  );
}

export interface SecretMention {
  path: string;
  /** Undefined where `$secrets` stands in text that is not evaluated. */
  name: string | undefined;
}

/** `$secrets` after `${` with no `}` between; in pieces, for one pattern would look at a long text again and again. */
const looksLikeSecret = (text: string): boolean =>
  text.split('}').some((piece) => {
    const start = piece.indexOf('${');
    return start >= 0 && /\$secrets\b/.test(piece.slice(start));
  });

/** Where a definition that was checked names secrets, or looks as if. */
export function secretMentions(value: unknown, path: string): SecretMention[] {
  if (typeof value === 'string') {
    if (isExpression(value)) return secretUses(expressionSource(value)).names.map((name) => ({ path, name }));
    return looksLikeSecret(value) ? [{ path, name: undefined }] : [];
  }
  if (Array.isArray(value)) return value.flatMap((item, at) => secretMentions(item, pointer(path, at)));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => secretMentions(item, pointer(path, key)));
}

/** Every secret that a definition names. */
export const secretsNamed = (definition: unknown): string[] => [
  ...new Set(secretMentions(definition, '').flatMap(({ name }) => name ?? [])),
];
