import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { procFile, sendSignal } from '../../drivers/processes/proc.ts';

/** When a process began, as it noted itself. */
export interface Stamp {
  pid: number;
  /** Unix time in ms. */
  at: number;
}

export interface Stamps {
  folder: string;
  /** A shell program that notes each of its starts under a name, and then sleeps. */
  program: string;
  of(name: string): Stamp[];
  /** Waits for the next start after so many. */
  next(name: string, after: number): Promise<Stamp>;
  /** Ends whatever of them still runs: it outlives its supervisor, as it should. */
  close(): void;
}

const WITHIN_MS = 60_000;

/** Anybody may write there: agents may run as another user. */
export function createStamps(): Stamps {
  const folder = mkdtempSync(join(tmpdir(), 'vareon-stamps-'));
  chmodSync(folder, 0o777);
  const program = join(folder, 'stamped');
  const lines = '#!/bin/bash\necho "$$ $EPOCHREALTIME" >> "${0%/*}/$1.starts"\nexec sleep 86400\n';
  writeFileSync(program, lines, { mode: 0o755 });
  const of = (name: string): Stamp[] => {
    const file = `${name}.starts`;
    if (!readdirSync(folder).includes(file)) return [];
    const text = readFileSync(join(folder, file), 'utf8');
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [pid, at] = line.split(' ');
        return { pid: Number(pid), at: Number(at) * 1_000 };
      });
  };
  return {
    folder,
    program,
    of,
    close() {
      for (const file of readdirSync(folder))
        if (file.endsWith('.starts'))
          for (const { pid } of of(file.slice(0, -'.starts'.length)))
            if (procFile(pid, 'cmdline')?.startsWith('sleep')) sendSignal(pid, 'SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
    async next(name, after) {
      const until = performance.now() + WITHIN_MS;
      for (;;) {
        const found = of(name)[after];
        if (found) return found;
        if (performance.now() > until) throw new Error(`${name} did not start again within ${WITHIN_MS} ms`);
        await delay(1);
      }
    },
  };
}

/** Kills a process so many times. @returns how long it took each time until it ran again, in ms. */
export async function crashes(stamps: Stamps, name: string, count: number): Promise<number[]> {
  const took: number[] = [];
  for (let round = 0; round < count; round++) {
    const before = stamps.of(name);
    const last = before.at(-1);
    if (!last) throw new Error(`${name} does not run`);
    await delay(300); // what its supervisor does after a start
    const killedAt = performance.timeOrigin + performance.now();
    process.kill(last.pid, 'SIGKILL');
    took.push((await stamps.next(name, before.length)).at - killedAt);
  }
  return took;
}
