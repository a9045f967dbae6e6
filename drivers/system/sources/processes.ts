import { readdir } from 'node:fs/promises';
import { processes } from 'systeminformation';

/** How many there are. On Linux the folders of /proc, which need no `ps`. */
export async function readProcesses(): Promise<{ total: number }> {
  const total =
    process.platform === 'linux'
      ? (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).length
      : (await processes()).all;
  if (total === 0) throw new Error('the system tells of no processes');
  return { total };
}
