import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLogFile } from '../../local/child/log-file.ts';
import { saysReady } from '../../local/child/readiness.ts';
import type { PartSpec, SuperviseDeps } from '../../local/child/supervise.ts';
import type { PartName, StackEvent } from '../../local/events.ts';
import { createStateFile } from '../../local/state.ts';

/** A folder that is removed when the test is over. */
export function temporaryFolder(): { path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), 'vareon-local-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 10 }) };
}

/** Waits until `condition` gives something, or fails after `withinMs`. */
export async function until<T>(condition: () => T | undefined | false, withinMs = 60_000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const value = condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`not so within ${withinMs} ms: ${condition}`);
    await new Promise((next) => setTimeout(next, 10));
  }
}

/** What supervising needs, with what was reported and quick back-off. */
export function superviseTools(folder: string): SuperviseDeps & { events: StackEvent[] } {
  const events: StackEvent[] = [];
  return {
    events,
    report: (event) => events.push(event),
    state: createStateFile(folder),
    openLog: (name) => openLogFile(join(folder, `${name}.log`)),
    timing: { firstRetryMs: 20, lastRetryMs: 80 },
  };
}

/** A part that is a small script (plain JavaScript, `process.send` is there). */
export function scriptPart(folder: string, script: string, name: PartName = 'platform'): PartSpec {
  const file = join(folder, `${name}.mjs`);
  writeFileSync(file, script);
  return {
    name,
    command: () => ({ file: process.execPath, args: [file], env: { PATH: process.env.PATH }, ipc: true }),
    ready: saysReady,
    stopSignal: 'SIGTERM',
  };
}
