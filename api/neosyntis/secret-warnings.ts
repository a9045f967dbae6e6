import type { InputProblem } from '../../domain/errors.ts';
import type { SecretMention } from '../../domain/neosyntis/sealed.ts';

/** The names of the secrets that a user's runs can use. */
export type SecretNames = (ownerId: string) => Promise<ReadonlySet<string>>;

const LIMIT = 100;

/** What a definition says of secrets that cannot work now. It can be saved all the same: a secret may come later. */
export async function secretWarnings(
  mentions: readonly SecretMention[],
  ownerId: string,
  names: SecretNames,
): Promise<InputProblem[]> {
  if (mentions.length === 0) return [];
  const known = await names(ownerId);
  return mentions
    .flatMap(({ path, name }) => {
      if (name === undefined) return [{ path, message: asText }];
      return known.has(name) ? [] : [{ path, message: `there is no secret "${name}": the step will fail` }];
    })
    .slice(0, LIMIT);
}

const asText =
  'is text with `$secrets` in it, which is not evaluated: the whole string must be one expression, ' +
  'such as "${ \\"Bearer \\\\($secrets.name)\\" }"';

export const withWarnings = <T extends object>(value: T, warnings: InputProblem[]) =>
  warnings.length === 0 ? value : { ...value, warnings };
