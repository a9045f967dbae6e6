import { hash, verify } from '@node-rs/argon2';
import { AppError } from '../../domain/errors.ts';

/** OWASP's argon2id minimum: 19 MiB, 2 passes, 1 lane. argon2id is the library's default algorithm. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

const MINIMUM = 8;
const MAXIMUM = 256;

/** The same characters typed on different keyboards are the same password. */
const normal = (password: string): string => password.normalize('NFKC');

export const hashPassword = (password: string): Promise<string> => hash(normal(password), cost);

/** Of 32 random bytes, at the same cost: it makes a wrong name take as long as a wrong password. */
const HASH_OF_NOTHING =
  '$argon2id$v=19$m=19456,t=2,p=1$p2ZZ+zYWLlZ0CsO1iAnHIQ$wwVLh94yzgSTtW15c8oxjw9oWtqVtZt/IfDD4fdjkjQ';

/** @param passwordHash undefined when there is no such account: costs the same, and is false. */
export async function isPassword(password: string, passwordHash: string | undefined): Promise<boolean> {
  const isRight = await verify(passwordHash ?? HASH_OF_NOTHING, normal(password));
  return isRight && passwordHash !== undefined;
}

/**
 * @param path where the password is in the body, as a JSON pointer.
 * @throws AppError `invalid` for one that is too short, too long, common, or the account's own name or address.
 */
export async function requireGoodPassword(
  password: string,
  account: { username: string; email: string },
  path: string,
): Promise<void> {
  const text = normal(password);
  const message =
    lengthProblem([...text].length) ?? sameProblem(text, account) ?? (await commonProblem(text));
  if (message) throw new AppError('invalid', `The password ${message}.`, { errors: [{ path, message }] });
}

function lengthProblem(length: number): string | undefined {
  if (length >= MINIMUM && length <= MAXIMUM) return undefined;
  return `has ${length} characters; it needs ${MINIMUM} to ${MAXIMUM}`;
}

function sameProblem(
  text: string,
  { username, email }: { username: string; email: string },
): string | undefined {
  const own = [username, email, email.split('@')[0]].map((name) => name?.toLowerCase());
  return own.includes(text.toLowerCase()) ? 'is the user name or e-mail address; choose another' : undefined;
}

/** 49,000 passwords from leaks, loaded when the first one is set. */
async function commonProblem(text: string): Promise<string | undefined> {
  const { dictionary } = await import('@zxcvbn-ts/language-common');
  return dictionary['passwords-common'].includes(text.toLowerCase())
    ? 'is one of the most common ones, which are tried first; choose another'
    : undefined;
}
