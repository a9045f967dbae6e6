import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Containment } from '../../drivers/processes/containment/containment.ts';
import { findContainments } from '../../drivers/processes/containment/detect.ts';
import type { OutputPiece, ProcessEnd, Processes, ProcessSpec } from '../../drivers/processes/port.ts';
import { createProcesses } from '../../drivers/processes/processes.ts';
import { ensureRunAsUser } from '../../drivers/processes/run-as.ts';

export const PATH = process.env.PATH ?? '/usr/bin:/bin';
export const user = process.getuid?.() === 0 ? await ensureRunAsUser('vareon-run') : undefined;
export const containments = await findContainments(PATH, user);

export interface Ran {
  end: ProcessEnd;
  out: string;
  err: string;
  pieces: OutputPiece[];
  id: string;
}

type RunMore = Partial<ProcessSpec> & { signal?: AbortSignal; onOutput?: (piece: OutputPiece) => void };

export interface Rig {
  processes: Processes;
  /** What another life of the host has. */
  restarted(): Promise<Processes>;
  dataDir: string;
  run(argv: [string, ...string[]], more?: RunMore): Promise<Ran>;
  shell(command: string, more?: RunMore): Promise<Ran>;
  /** A command that waits until it is opened. */
  newGate(): { wait: string; open(): void };
  close(): Promise<void>;
}

let count = 0;

export async function createRig(containment: Containment): Promise<Rig> {
  const dataDir = mkdtempSync(join(tmpdir(), 'processes-test-'));
  const gates = mkdtempSync(join(tmpdir(), 'gates-'));
  chmodSync(gates, 0o755);
  const start = () =>
    createProcesses({
      dataDir,
      hostName: 'test',
      containment,
      user,
      hostEnvironment: { PATH },
      warn: (message, error) => {
        throw new Error(message, { cause: error });
      },
    });
  const processes = await start();
  const run: Rig['run'] = async (argv, { signal, onOutput, ...more } = {}) => {
    const pieces: OutputPiece[] = [];
    const spec: ProcessSpec = {
      id: `step-${++count}`,
      argv,
      env: {},
      platformEnv: {},
      timeoutMs: 60_000,
      killGraceMs: 300,
      outputLimitBytes: 1_000_000,
      ...more,
    };
    const never = new AbortController().signal;
    const { end } = await processes.run(spec, {
      signal: signal ?? never,
      onOutput: (piece) => {
        pieces.push(piece);
        onOutput?.(piece);
      },
    });
    const text = (stream: string) =>
      pieces
        .filter((piece) => piece.stream === stream)
        .map((piece) => piece.text)
        .join('');
    return { end, out: text('stdout'), err: text('stderr'), pieces, id: spec.id };
  };
  return {
    processes,
    restarted: start,
    dataDir,
    run,
    shell: (command, more) => run(['/bin/sh', '-c', command], more),
    newGate() {
      const file = join(gates, `${++count}`);
      return { wait: `until [ -e '${file}' ]; do sleep 0.02; done`, open: () => writeFileSync(file, '') };
    },
    async close() {
      await processes.close();
      for (const folder of [dataDir, gates]) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** An argument for sleep(1) that no other process of this machine has. */
export const uniqueNap = (): string => `8640${++count}.${process.pid}${Math.trunc(performance.now())}`;

/** Pids of living processes whose command line ends with a word. */
export const running = (word: string): string[] =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').endsWith(`${word}\0`);
    } catch {
      return false; // it ended meanwhile
    }
  });

export async function eventually(holds: () => boolean, withinMs = 60_000): Promise<void> {
  const limit = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > limit) throw new Error(`not within ${withinMs} ms: ${holds}`);
    await delay(10);
  }
}
