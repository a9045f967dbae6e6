import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mark } from './containment/containment.ts';
import { bootId } from './proc.ts';

/** How to find what runs, for the life of the host that comes after a kill -9: one small file a process. */
export interface Records {
  /** Before the start. */
  write(id: string, mark: Mark): Promise<void>;
  /** When nothing is left of it. */
  remove(id: string): Promise<void>;
  /** Ids with their marks; without a mark when there is nothing to find, after a reboot for one. */
  all(): Promise<{ id: string; mark: Mark | undefined }[]>;
}

export async function createRecords(folder: string): Promise<Records> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const boot = bootId();
  const file = (id: string): string => join(folder, `${id}.json`);

  async function read(id: string): Promise<Mark | undefined> {
    try {
      // Written by write() below, in a folder that only the host's user can write to.
      const note = JSON.parse(await readFile(file(id), 'utf8')) as { boot: string; mark: Mark };
      return note.boot === boot ? note.mark : undefined;
    } catch {
      // Cut off by the crash, so the start that it goes before never came.
      return undefined;
    }
  }

  return {
    write: (id, mark) => writeFile(file(id), JSON.stringify({ boot, mark }), { mode: 0o600 }),
    remove: (id) => rm(file(id), { force: true }),
    async all() {
      const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
      const ids = names.map((name) => name.slice(0, -'.json'.length));
      return Promise.all(ids.map(async (id) => ({ id, mark: await read(id) })));
    },
  };
}
