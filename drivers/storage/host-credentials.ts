import { createHmac, timingSafeEqual } from 'node:crypto';

const mac = (key: Buffer, name: string): Buffer =>
  createHmac('sha256', key).update(`vareon api host-${name}`).digest();

/** What the local host says to the API, derived as its password for the bus is: `<name>.<mac>`. */
export const hostCredential = (key: Buffer, name: string): string =>
  `${name}.${mac(key, name).toString('base64url')}`;

/** The host that a credential is of; undefined when it is none. */
export function hostOfCredential(key: Buffer, credential: string): string | undefined {
  const [, name, given] = /^([a-z0-9][a-z0-9-]{0,62})\.([A-Za-z0-9_-]{43})$/.exec(credential) ?? [];
  if (name === undefined || given === undefined) return undefined;
  return timingSafeEqual(Buffer.from(given, 'base64url'), mac(key, name)) ? name : undefined;
}
