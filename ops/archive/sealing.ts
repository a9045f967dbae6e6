import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { Decrypter, Encrypter } from 'age-encryption';
import { Problem } from '../problem.ts';

/** How an archive is encrypted, as https://age-encryption.org/v1 so that the `age` program opens it too. */
export interface Locks {
  /** Public keys, `age1…`: whoever makes backups need not be able to read them. */
  recipients: string[];
  passphraseFile: string | undefined;
}

export interface KeysToOpen {
  /** A file of `AGE-SECRET-KEY-1…` lines, as `age-keygen` writes it. */
  identityFile: string | undefined;
  passphraseFile: string | undefined;
}

/** What encrypted archives begin with. */
export const AGE_MAGIC = 'age-encryption.org/v1';

type Bytes = globalThis.ReadableStream<Uint8Array>;

/** @returns what encrypts a stream, or nothing when the archive stays readable. @throws Problem */
export function createSealer(locks: Locks): ((plain: Readable) => Promise<Readable>) | undefined {
  if (locks.recipients.length === 0 && !locks.passphraseFile) return undefined;
  if (locks.recipients.length > 0 && locks.passphraseFile)
    throw new Problem('Give --recipient or --passphrase-file, not both: age does not mix them.');
  const encrypter = new Encrypter();
  for (const recipient of locks.recipients)
    told(() => encrypter.addRecipient(recipient), `"${recipient}" is no age public key (age1…).`);
  if (locks.passphraseFile) encrypter.setPassphrase(passphrase(locks.passphraseFile));
  return async (plain) => fromWeb(await encrypter.encrypt(toWeb(plain)));
}

/** @throws Problem when none of the keys opens it */
export async function unseal(sealed: Readable, keys: KeysToOpen): Promise<Readable> {
  const decrypter = new Decrypter();
  if (keys.passphraseFile) decrypter.addPassphrase(passphrase(keys.passphraseFile));
  if (keys.identityFile)
    for (const line of read(keys.identityFile).split('\n'))
      if (line.trim() && !line.startsWith('#'))
        told(
          () => decrypter.addIdentity(line.trim()),
          `${keys.identityFile} holds a line that is no age secret key (AGE-SECRET-KEY-…).`,
        );
  if (!keys.passphraseFile && !keys.identityFile)
    throw new Problem('This backup is encrypted: give --identity FILE or --passphrase-file FILE.');
  try {
    return fromWeb(await decrypter.decrypt(toWeb(sealed)));
  } catch (error) {
    throw new Problem('The key or passphrase does not open this backup.', { cause: error });
  }
}

// Node's streams and the web's are the same at run time; their types come from two places.
const toWeb = (stream: Readable): Bytes => Readable.toWeb(stream) as unknown as Bytes;
const fromWeb = (stream: Bytes): Readable => Readable.fromWeb(stream as unknown as ReadableStream);

function passphrase(file: string): string {
  const text = read(file).trim();
  if (text.length < 12)
    throw new Problem(`${file} holds a passphrase of ${text.length} characters; use 12 or more.`);
  return text;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Problem(`${file} cannot be read.`, { cause: error });
  }
}

function told(work: () => void, message: string): void {
  try {
    work();
  } catch (error) {
    throw new Problem(message, { cause: error });
  }
}
