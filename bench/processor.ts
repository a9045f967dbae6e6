import { readdirSync, readFileSync } from 'node:fs';

/** Processor time of a process in ms, and with `children` of those that it has now: proc_pid_stat(5), ticks of 10 ms. */
export function cpuMs(pid: number, { children = false } = {}): number {
  const line = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const own = (Number(fields[11]) + Number(fields[12])) * 10;
  if (!children) return own;
  return readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean))
    .reduce((sum, child) => sum + cpuMs(Number(child)), own);
}
