import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const LOOK_EVERY_MS = 1_000;

/** Remembers, across lives of the host, which step's container is to be removed when. */
export async function createRemovals(folder: string, remove: (step: string) => Promise<void>) {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const due = new Map<string, number>();
  for (const step of await readdir(folder)) {
    const at = Number(await readFile(join(folder, step), 'utf8'));
    due.set(step, Number.isFinite(at) ? at : 0);
  }
  const looking = setInterval(() => {
    for (const [step, at] of due)
      if (at <= Date.now()) {
        due.delete(step);
        // It stays on the list of the next life when it cannot be removed now.
        void remove(step)
          .then(() => rm(join(folder, step), { force: true }))
          .catch(() => {});
      }
  }, LOOK_EVERY_MS);
  looking.unref();
  return {
    async later(step: string, afterMs: number): Promise<void> {
      const at = Date.now() + afterMs;
      await writeFile(join(folder, step), String(at), { mode: 0o600 });
      due.set(step, at);
    },
    close: () => clearInterval(looking),
  };
}
