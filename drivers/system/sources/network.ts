import { readFile } from 'node:fs/promises';
import { networkStats } from 'systeminformation';
import { SAMPLE_LIST_LIMIT } from '../../../domain/myntrix/system-metrics.ts';
import type { InterfaceBytes } from '../port.ts';

/**
 * Interfaces that anything went over, the busiest first. On Linux from /proc/net/dev (proc_pid_net(5)): the package
 * starts a shell an interface for it.
 */
export async function readInterfaces(): Promise<InterfaceBytes[]> {
  const found =
    process.platform === 'linux' ? ofTable(await readFile('/proc/net/dev', 'latin1')) : await asked();
  return found
    .filter(({ rx_bytes, tx_bytes }) => rx_bytes + tx_bytes > 0)
    .sort((one, other) => other.rx_bytes + other.tx_bytes - one.rx_bytes - one.tx_bytes)
    .slice(0, SAMPLE_LIST_LIMIT);
}

async function asked(): Promise<InterfaceBytes[]> {
  const stats = await networkStats('*');
  if (stats.length === 0) throw new Error('the system tells of no network interfaces');
  return stats.map(({ iface, rx_bytes, tx_bytes }) => ({ name: iface.slice(0, 255), rx_bytes, tx_bytes }));
}

/** Two lines of headings; then a name, a colon, eight numbers of what came in and eight of what went out. */
const ofTable = (table: string): InterfaceBytes[] =>
  table
    .split('\n')
    .slice(2)
    .filter((line) => line.includes(':'))
    .map((line) => {
      const at = line.lastIndexOf(':');
      const numbers = line
        .slice(at + 1)
        .trim()
        .split(/\s+/)
        .map(Number);
      return { name: line.slice(0, at).trim(), rx_bytes: numbers[0] ?? 0, tx_bytes: numbers[8] ?? 0 };
    });
