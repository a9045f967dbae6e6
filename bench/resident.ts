import { readFileSync } from 'node:fs';

const megabytes = (pid: number, field: string): number => {
  const line = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Math.round(Number(line?.[1]) / 1024);
};

/** Resident memory of a process now, in MiB. */
export const residentMb = (pid: number): number => megabytes(pid, 'VmRSS');

/** The most that it ever was. */
export const peakMb = (pid: number): number => megabytes(pid, 'VmHWM');
