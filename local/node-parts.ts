import { join } from 'node:path';
import { saysReady } from './child/readiness.ts';
import type { PartSpec } from './child/supervise.ts';
import type { PartName, Report } from './events.ts';
import { readLogLine } from './log-line.ts';

/** What is started and bundled, relative to the repository. */
export const entryPoints = {
  api: 'api/main.ts',
  platform: 'workers/platform.ts',
  host: 'workers/host.ts',
  workflows: 'workflows/index.ts',
};

export type EntryPoints = typeof entryPoints;

type NodePartName = 'api' | 'platform' | 'host';

/**
 * What Node is told for one of our processes. V8's default of 16 MB for young objects, times three, in each thread,
 * buys nothing here and costs 90 MB at rest; workers/workflow-threads.ts says what it is for.
 */
export const nodeFlags = (name: NodePartName, root: string): string[] => [
  '--max-semi-space-size=4',
  ...(name === 'platform' ? ['--import', join(root, 'workers/workflow-threads.ts')] : []),
];

export interface NodePartOptions {
  name: NodePartName;
  root: string;
  entryPoint: string;
  /** Read at each start: the first one may have settings that later ones do not need. */
  env: () => Record<string, string | undefined>;
  report: Report;
}

/** One of our own processes, on this very Node. */
export function nodePart({ name, root, entryPoint, env, report }: NodePartOptions): PartSpec {
  return {
    name,
    command: () => ({
      file: process.execPath,
      args: [...nodeFlags(name, root), join(root, entryPoint)],
      env: env(),
      cwd: root,
      ipc: true,
    }),
    ready: saysReady,
    stopSignal: 'SIGTERM',
    onLine: (line) => reportLine(name, line, report),
  };
}

/** Passes on warnings and errors; what ended a process (fatal) comes as how it ended. */
function reportLine(part: PartName, line: string, report: Report): void {
  if (!/^\{"level":[45]0,/.test(line)) return;
  const read = readLogLine(line);
  if (read) report({ type: 'log', part, level: read.level === 50 ? 'error' : 'warn', text: read.text });
}
