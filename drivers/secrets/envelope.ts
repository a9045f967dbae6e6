import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Envelope } from '../../domain/system/envelope.ts';
import { KEY_ID_BYTES, keyId } from './key-files.ts';
import { fixedKeys, type Keyring } from './keyring.ts';

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES;

/**
 * AES-256-GCM: version, key id, nonce, ciphertext, tag; header and place are authenticated too.
 * @param keys of 32 bytes: a keyring, or a list whose first seals and all of which open.
 */
export function createEnvelope(keys: Keyring | readonly [Buffer, ...Buffer[]]): Envelope {
  const keyring = 'find' in keys && 'current' in keys ? keys : fixedKeys(keys);
  return {
    seal(text, place) {
      const current = keyring.current();
      const id = Buffer.from(keyId(current), 'hex');
      const header = Buffer.concat([Buffer.of(VERSION), id, randomBytes(NONCE_BYTES)]);
      const cipher = createCipheriv('aes-256-gcm', current, header.subarray(1 + KEY_ID_BYTES));
      cipher.setAAD(associated(header, place));
      return Buffer.concat([header, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    },
    open(sealed, place) {
      if (sealed[0] !== VERSION || sealed.length < HEADER_BYTES + TAG_BYTES)
        throw new Error(`what is kept at ${place} is not a sealed value of version ${VERSION}`);
      const header = sealed.subarray(0, HEADER_BYTES);
      const id = header.subarray(1, 1 + KEY_ID_BYTES).toString('hex');
      const key = keyring.find(id);
      if (!key) throw new Error(`what is kept at ${place} was sealed with key ${id}, which is not here`);
      const decipher = createDecipheriv('aes-256-gcm', key, header.subarray(1 + KEY_ID_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(associated(header, place));
      decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
      const text = decipher.update(sealed.subarray(HEADER_BYTES, -TAG_BYTES));
      return Buffer.concat([text, decipher.final()]).toString('utf8');
    },
  };
}

const associated = (header: Buffer, place: string): Buffer =>
  Buffer.concat([header, Buffer.from(place, 'utf8')]);
