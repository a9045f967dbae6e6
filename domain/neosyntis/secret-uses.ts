import { tokenize } from './jq.ts';
import { isSecretName } from './secrets.ts';

export interface SecretUses {
  names: string[];
  /** Why the names cannot be told. */
  problem?: string;
}

const unnamed = 'uses `$secrets` without a name: write `$secrets.name` or `$secrets["na-me"]`';

/** Which secrets an expression uses. Their names are literal: whoever reads the expression knows them. */
export function secretUses(source: string): SecretUses {
  if (!source.includes('$secrets')) return { names: [] };
  const { tokens } = tokenize(source);
  const names = new Set<string>();
  for (const [at, token] of tokens.entries()) {
    if (token.kind !== 'variable' || token.text !== '$secrets') continue;
    const [next, literal, close] = tokens.slice(at + 1, at + 4);
    const isIndex = next?.text === '[' && close?.text === ']';
    const name =
      next?.kind === 'field'
        ? next.text.slice(1)
        : literal?.kind === 'string' && (isIndex || next?.text === '.')
          ? unquoted(literal.text)
          : undefined;
    if (name === undefined) return { names: [], problem: unnamed };
    if (!isSecretName(name))
      return {
        names: [],
        problem: `uses the secret ${JSON.stringify(name.slice(0, 80))}, which is not a name that a secret can have`,
      };
    names.add(name);
  }
  return { names: [...names] };
}

/** Whether an expression reads secrets, rather than speaking of them in a string. */
export const usesSecrets = (source: string): boolean =>
  source.includes('$secrets') &&
  tokenize(source).tokens.some(({ kind, text }) => kind === 'variable' && text === '$secrets');

/** Whether an expression reads what a request is authorized by, which only the activity knows that makes it. */
export const usesAuthorization = (source: string): boolean =>
  source.includes('$authorization') &&
  tokenize(source).tokens.some(({ kind, text }) => kind === 'variable' && text === '$authorization');

function unquoted(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined; // it goes on with \( … )
  }
}
