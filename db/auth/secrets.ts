import { createHash, randomBytes } from 'node:crypto';

/** A random secret in base64url; the database only ever sees its hash. */
export const newSecret = (bits: 128 | 256): string => randomBytes(bits / 8).toString('base64url');

/** Fast on purpose: what is hashed here is random, so there is nothing to guess. */
export const sha256 = (secret: string): Buffer => createHash('sha256').update(secret).digest();
