import { chown, lstat, mkdir } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import type { ContainerStep } from '../../domain/neosyntis/code.ts';
import type { Mount } from './command-line.ts';

export interface Lent {
  /** VAREON_CONTAINER_VOLUMES: whose folders containers may mount. */
  folder: string | undefined;
  /** Who the containers run as that mount them. */
  owner: { uid: number; gid: number } | undefined;
}

/**
 * The folders that a step mounts, made when they are missing. Only what lies directly in the lent folder: a container
 * that could write beside a folder could put a link in its place.
 * @returns why not, as text.
 */
export async function mountsOf(
  volumes: ContainerStep['volumes'],
  { folder, owner }: Lent,
): Promise<Mount[] | string> {
  if (volumes.length === 0) return [];
  if (folder === undefined)
    return 'the owner of this host lends no folder to containers (VAREON_CONTAINER_VOLUMES)';
  const mounts: Mount[] = [];
  for (const volume of volumes) {
    const name = isAbsolute(volume.folder) ? relative(folder, volume.folder) : volume.folder;
    if (!/^[A-Za-z0-9_][\w.-]{0,99}$/.test(name))
      return `${JSON.stringify(volume.folder)} is not a folder directly in the one that is lent to containers`;
    const source = join(folder, name);
    try {
      await mkdir(source, { mode: 0o700 });
      if (owner) await chown(source, owner.uid, owner.gid);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      if (!(await lstat(source)).isDirectory()) return `${JSON.stringify(volume.folder)} is no folder`;
    }
    mounts.push({ source, target: volume.path, readOnly: volume.readOnly });
  }
  return mounts;
}
