import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, chown, lstat, mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RunAs } from './run-as.ts';

const execute = promisify(execFile);

/** Where processes work: one folder for a host, in it one for each process, and what the host needs for a start. */
export interface Folders {
  /** Makes the root where it is missing (some systems tidy up their temporary folder). */
  root(): Promise<string>;
  make(id: string, files: readonly { name: string; text: string }[]): Promise<string>;
  remove(folder: string): Promise<void>;
  /** Removes everything; for when nothing runs. */
  clear(): Promise<void>;
}

/** @param dataDir tells hosts of one name apart */
export function createFolders(hostName: string, dataDir: string, user: RunAs | undefined): Folders {
  const tag = createHash('sha256').update(dataDir).digest('hex').slice(0, 12);
  const path = join(tmpdir(), `vareon-${hostName}-${tag}`);

  async function root(): Promise<string> {
    await mkdir(path, { mode: 0o700 }).catch(() => {}); // there already, or lstat tells
    const found = await lstat(path);
    // Anybody may write to the temporary folder: what stands there under our name must be ours.
    if (!found.isDirectory() || found.uid !== process.getuid?.())
      throw new Error(`${path} belongs to somebody else: remove it, or set TMPDIR to another folder`);
    await chmod(path, 0o711); // to be passed through, neither listed nor written by others
    return path;
  }

  return {
    root,
    async make(id, files) {
      const folder = join(await root(), id);
      await mkdir(folder, { mode: 0o700 });
      for (const { name, text } of files) {
        const file = join(folder, name);
        await writeFile(file, text, { mode: 0o600, flag: 'wx' });
        if (user) await chown(file, user.uid, user.gid);
      }
      if (user) await chown(folder, user.uid, user.gid); // last: until now nobody else can touch what root writes
      return folder;
    },
    remove: (folder) => removeFolder(folder, user),
    async clear() {
      await root();
      for (const entry of await readdir(path, { withFileTypes: true }))
        if (entry.isDirectory() && entry.name !== 'bin') await removeFolder(join(path, entry.name), user);
      await rm(path, { recursive: true, force: true });
    },
  };
}

const EMPTY = 'cd -- "$1" && rm -rf -- ./* ./.[!.]* ./..?*';
const UNLOCK = 'chmod u+rwx -- "$1" && cd -- "$1" && chmod -R u+rwX -- ./* ./.[!.]* ./..?*';

/**
 * Empties a process's folder as the process's user, by rm(1), which is safe from folders that turn into links
 * under it; then removes it.
 */
async function removeFolder(folder: string, user: RunAs | undefined): Promise<void> {
  const as = user ? { uid: user.uid, gid: user.gid } : {};
  const shell = (script: string) =>
    execute('/bin/sh', ['-c', script, 'sh', folder], { ...as, cwd: '/' }).catch(() => {}); // rmdir tells
  await shell(EMPTY);
  try {
    await rmdir(folder);
  } catch {
    await shell(UNLOCK); // folders that the process closed to itself
    await shell(EMPTY);
    await rmdir(folder);
  }
}
