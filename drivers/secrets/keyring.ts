import { statSync } from 'node:fs';
import { currentKeyFile, keyId, readAllKeys, readKey } from './key-files.ts';

/** The keys of an envelope: one seals, all of them open. */
export interface Keyring {
  /** The key to seal with now. */
  current(): Buffer;
  /** The key of this id, when it is here. */
  find(id: string): Buffer | undefined;
}

/**
 * The keys in a folder, as they are at each use: another process may rotate them at any time. The sealing key is
 * looked at before each use (one `stat`), and an unknown id makes it read the folder again; so no process seals
 * with a key that another one cannot open.
 */
export function openKeyring(folder: string): Keyring {
  const file = currentKeyFile(folder);
  let current: { key: Buffer; stamp: string } | undefined;
  let known = readAllKeys(folder);

  const keyring: Keyring = {
    current() {
      const stamp = stampOf(file);
      if (current?.stamp !== stamp) current = { key: readKey(file), stamp };
      return current.key;
    },
    find(id) {
      // What was known stays: a row may have been read before it was sealed anew.
      if (!known.has(id)) known = new Map([...known, ...readAllKeys(folder)]);
      return known.get(id);
    },
  };
  keyring.current();
  return keyring;
}

/** Keys that never change; the first seals. */
export function fixedKeys(keys: readonly [Buffer, ...Buffer[]]): Keyring {
  const byId = new Map(keys.map((key) => [keyId(key), key]));
  return { current: () => keys[0], find: (id) => byId.get(id) };
}

function stampOf(file: string): string {
  const { ino, mtimeNs, size } = statSync(file, { bigint: true });
  return `${ino} ${mtimeNs} ${size}`;
}
