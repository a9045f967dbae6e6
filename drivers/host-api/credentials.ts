import { createHmac, timingSafeEqual } from 'node:crypto';

/** What a worker host shows to the API: its name, and a proof derived from the installation's bus key. */
export const hostCredential = (key: Buffer, name: string): string => `vrnhost_${name}_${proof(key, name)}`;

/** @returns the host whose credential this is, or nothing. */
export function hostOfCredential(key: Buffer, credential: string): string | undefined {
  const [, name, given] = /^vrnhost_([a-z0-9][a-z0-9-]{0,62})_([\w-]{43})$/.exec(credential) ?? [];
  if (name === undefined || given === undefined) return undefined;
  return timingSafeEqual(Buffer.from(given), Buffer.from(proof(key, name))) ? name : undefined;
}

/** Another word than for the bus: neither credential opens the other door. */
const proof = (key: Buffer, name: string): string =>
  createHmac('sha256', key).update(`vareon host api ${name}`).digest('base64url');
