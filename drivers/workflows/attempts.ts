import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Who holds an agent or a device, in words that a later life of the host can give back: it need not wait until they are missed. */
export interface Attempts {
  save(id: string, token: string): void;
  /** Unless another one holds it by now. */
  drop(id: string, token: string): void;
  /** Those of an earlier life, which are forgotten by this. */
  takeAll(): string[];
}

/** @param root of the host's agents, or devices: a folder each */
export function createAttempts(root: string): Attempts {
  const file = (id: string) => join(root, id, 'attempt');
  const read = (id: string): string | undefined => {
    try {
      return readFileSync(file(id), 'latin1');
    } catch {
      return undefined; // nobody holds it
    }
  };
  return {
    save(id, token) {
      mkdirSync(join(root, id), { recursive: true, mode: 0o700 });
      writeFileSync(file(id), token, { mode: 0o600 });
    },
    drop(id, token) {
      if (read(id) === token) rmSync(file(id), { force: true });
    },
    takeAll() {
      mkdirSync(root, { recursive: true, mode: 0o700 });
      return readdirSync(root).flatMap((id) => {
        const token = read(id);
        rmSync(file(id), { force: true });
        return token === undefined ? [] : [token];
      });
    },
  };
}
