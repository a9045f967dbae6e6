import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, ConfigError } from './config.ts';
import { KEY_BYTES, readKey } from './drivers/secrets/key-files.ts';
import { type Keyring, openKeyring } from './drivers/secrets/keyring.ts';

/** The installation's keys, 32 random bytes each; those of encryption can change while processes run. */
export interface Keys {
  jwt: Buffer;
  encryption: Keyring;
  bus: Buffer;
  /** Seal what goes into Temporal. The first seals, all open. */
  payload: readonly [Buffer, ...Buffer[]];
}

/**
 * Reads the keys. Only who sets up an installation makes those that are missing (files 0600, folder 0700):
 * processes that each made their own would not accept each other's tokens nor read each other's secrets.
 * @throws ConfigError when one is missing or damaged
 */
export function readKeys({ keysDir }: Pick<Config, 'keysDir'>, { make = false } = {}): Keys {
  if (make) {
    mkdirSync(keysDir, { recursive: true, mode: 0o700 });
    chmodSync(keysDir, 0o700);
  }
  const read = (name: string) => key(keysDir, name, make);
  read('encryption');
  const payload = read('payload');
  return {
    jwt: read('jwt'),
    encryption: openKeyring(keysDir),
    bus: read('bus'),
    payload: [payload, ...retired(keysDir, 'payload')],
  };
}

/** Keys of earlier times, `<name>.<label>.key`: they open what they sealed, and seal nothing more. */
const retired = (folder: string, name: string): Buffer[] =>
  readdirSync(folder)
    .filter((file) => file.startsWith(`${name}.`) && file.endsWith('.key') && file !== `${name}.key`)
    .sort()
    .map((file) => key(folder, file.slice(0, -'.key'.length), false));

function key(folder: string, name: string, make: boolean): Buffer {
  const file = join(folder, `${name}.key`);
  if (make && !existsSync(file)) {
    const temporary = `${file}.${process.pid}`;
    writeFileSync(temporary, randomBytes(KEY_BYTES).toString('base64'), {
      mode: 0o600,
      flag: 'wx',
      flush: true,
    });
    renameSync(temporary, file);
  }
  try {
    return readKey(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException; // what the file system throws has one
    throw new ConfigError([
      code === undefined
        ? (error as Error).message // what readKey throws
        : `the key ${file} cannot be read (${code}). All processes of an installation share its keys: npm start ` +
          'makes them for one machine, npm run secrets for several; say where they are with VAREON_KEYS_DIR',
    ]);
  }
}
