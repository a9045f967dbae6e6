import { readdir, readFile } from 'node:fs/promises';
import { fsSize, fsStats } from 'systeminformation';
import { SAMPLE_LIST_LIMIT } from '../../../domain/myntrix/system-metrics.ts';
import type { DiskBytes, FileSystems } from '../port.ts';
import { percent } from '../round.ts';

/** The largest ones first. Starts a `df`. */
export async function readFileSystems(): Promise<FileSystems> {
  const found = (await fsSize()).filter(({ size }) => size > 0);
  if (found.length === 0) throw new Error('`df` gave no file systems');
  return {
    file_systems: found
      .sort((one, other) => other.size - one.size)
      .slice(0, SAMPLE_LIST_LIMIT)
      .map(({ mount, type, size, available, use }) => ({
        mount: mount.slice(0, 255),
        type: type.slice(0, 255),
        size,
        available: Math.max(0, available),
        used_percent: percent(use),
      })),
  };
}

const SECTOR_BYTES = 512;

/** Not disks of their own: what they read is read from another one. */
const layered = /^(loop|ram|zram|dm-|md|sr|fd|nbd)/;

/**
 * On Linux from /proc/diskstats (kernel, iostats.rst: the fields after the name count from 1, sectors read are 3, written
 * 7): the package starts seven programs for it.
 */
export async function readDiskBytes(): Promise<DiskBytes | undefined> {
  if (process.platform !== 'linux') {
    const stats = await fsStats();
    return stats && { read: stats.rx, written: stats.wx };
  }
  const [table, names] = await Promise.all([readFile('/proc/diskstats', 'latin1'), readdir('/sys/block')]);
  const disks = new Set(names.filter((name) => !layered.test(name)));
  const total = { read: 0, written: 0 };
  for (const line of table.split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (!disks.has(fields[2] ?? '')) continue;
    total.read += Number(fields[5]) * SECTOR_BYTES;
    total.written += Number(fields[9]) * SECTOR_BYTES;
  }
  return total;
}
