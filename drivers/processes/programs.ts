import { constants } from 'node:fs';
import { access, chmod, copyFile, mkdir, realpath, rename, stat } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import type { RunAs } from './run-as.ts';

/**
 * Finds a program as the user who will run it would: entries of PATH that this user cannot reach (root's own
 * installations, for one) are passed over.
 * @returns its absolute path, or nothing.
 */
export async function findProgram(
  program: string,
  path: string,
  user: RunAs | undefined,
): Promise<string | undefined> {
  const candidates = program.includes('/')
    ? [program]
    : path
        .split(delimiter)
        .filter((folder) => folder.startsWith('/'))
        .map((folder) => join(folder, program));
  for (const candidate of candidates) if (await canRun(candidate, user)) return candidate;
  return undefined;
}

async function canRun(file: string, user: RunAs | undefined): Promise<boolean> {
  try {
    const real = await realpath(file);
    if (!(await stat(real)).isFile()) return false;
    if (!user) {
      await access(real, constants.X_OK);
      return true;
    }
    return await isOpen(file, real, user);
  } catch {
    return false; // it does not exist, or is not ours to run: the next candidate's turn
  }
}

/**
 * PATH without the entries that the user cannot reach: a shell says "permission denied" of a command that does
 * not exist as long as one of them is in it.
 */
export async function reachablePath(path: string, user: RunAs | undefined): Promise<string> {
  const entries = path.split(delimiter).filter((folder) => folder.startsWith('/'));
  const reachable = await Promise.all(entries.map((folder) => canEnter(folder, user)));
  return entries.filter((_, index) => reachable[index]).join(delimiter);
}

async function canEnter(folder: string, user: RunAs | undefined): Promise<boolean> {
  try {
    const real = await realpath(folder);
    if (!user) return (await stat(real)).isDirectory();
    return await isOpen(folder, real, user);
  } catch {
    return false; // it does not exist
  }
}

/** Whether the user may pass every folder on the way, and enter or execute what is at its end. */
async function isOpen(path: string, real: string, user: RunAs): Promise<boolean> {
  const way = new Set([real, ...parents(real), ...parents(path)]);
  const allowed = await Promise.all([...way].map((entry) => mayExecute(entry, user)));
  return allowed.every(Boolean);
}

const parents = (file: string): string[] => {
  const folder = dirname(file);
  return folder === file ? [] : [folder, ...parents(folder)];
};

/** By mode bits: root, who asks, may do everything, so access(2) cannot tell. */
async function mayExecute(entry: string, user: RunAs): Promise<boolean> {
  const { mode, uid, gid } = await stat(entry);
  const bit = uid === user.uid ? constants.S_IXUSR : gid === user.gid ? constants.S_IXGRP : constants.S_IXOTH;
  return (mode & bit) !== 0;
}

/**
 * This Node, for another user: the binary itself, or a copy in `folder` where that user cannot reach the
 * original (an installation below root's home).
 */
export async function lendNode(node: string, folder: string, user: RunAs | undefined): Promise<string> {
  if (await canRun(node, user)) return node;
  const copy = join(folder, 'bin', 'node');
  await mkdir(dirname(copy), { recursive: true, mode: 0o755 });
  await copyFile(node, `${copy}.part`, constants.COPYFILE_FICLONE);
  await chmod(`${copy}.part`, 0o755);
  await rename(`${copy}.part`, copy);
  return copy;
}
