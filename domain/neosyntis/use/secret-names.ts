import type { InputProblem } from '../../errors.ts';
import { pointer } from '../../pointer.ts';
import { isScheme, secretKeys } from '../dsl/authentication.ts';
import { isObject, show } from '../json.ts';
import { isSecretName } from '../secrets.ts';

/**
 * Writes `basic: {use: "login"}` out as expressions on the secret `login`, which go where all of them go: to the
 * activity, sealed. The policy is changed; a scheme that reads all of a secret becomes one expression.
 */
export function withSecretsOf(
  policy: Record<string, unknown>,
  path: string,
  origins: Map<string, string>,
): InputProblem[] {
  return Object.entries(policy).flatMap(([scheme, given]) => {
    if (!isScheme(scheme) || !isObject(given) || typeof given.use !== 'string') return [];
    if (Object.keys(given).length > 1) return [];
    const named = pointer(path, scheme, 'use');
    if (!isSecretName(given.use)) {
      policy[scheme] = '${ . }'; // nothing more is wrong with it
      return [{ path: named, message: `${show(given.use)} is not a name that a secret can have` }];
    }
    const source = `$secrets[${JSON.stringify(given.use)}]`;
    const keys = secretKeys[scheme];
    policy[scheme] = keys
      ? Object.fromEntries(keys.map((key) => [key, `\${ ${source}${partOf(scheme, key)} }`]))
      : `\${ ${source} }`;
    for (const key of keys ?? []) origins.set(pointer(path, scheme, key), named);
    return [];
  });
}

/** A token may be all that a secret has. */
const partOf = (scheme: string, key: string) =>
  scheme === 'bearer' ? ` | if type == "object" then .${key} else . end` : `.${key}`;
