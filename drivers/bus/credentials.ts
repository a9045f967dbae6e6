import { createHmac, randomBytes } from 'node:crypto';

/**
 * The password of a bus client, derived from the installation's bus key so that the broker stores none.
 * Users are `platform` (API and platform workers, every topic) and `host-<name>` (that host's topics only); the
 * embedded broker takes a host's own credential instead of the derived password, which is for brokers elsewhere.
 */
export const busPassword = (key: Buffer, username: string): string =>
  createHmac('sha256', key).update(`vareon bus ${username}`).digest('base64url');

/** The credential of the host that the supervisor starts beside the API, derived so that none need be kept. */
export const supervisedHostCredential = (key: Buffer, name: string): string =>
  `vrh_${createHmac('sha256', key).update(`vareon host ${name}`).digest('base64url')}`;
/**
 * An id that no other client has, or the broker would end the other one's connection: in containers every process
 * has the same pid. The embedded broker wants the user's name before the first dot.
 */
export const busClientId = (username: string, part: string): string =>
  `${username}.${part}-${randomBytes(6).toString('hex')}`;
