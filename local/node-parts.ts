import { join } from 'node:path';
import { type PartSpec, saysReady } from './child/supervise.ts';
import type { PartName, Report } from './events.ts';

const entryPoints = { api: 'api/main.ts', platform: 'workers/platform.ts', host: 'workers/host.ts' } as const;

/** V8's default of 16 MB for young objects, times three, in each thread, buys nothing here and costs 90 MB at rest. */
const flags = ['--max-semi-space-size=4'];

export interface NodePartOptions {
  name: keyof typeof entryPoints;
  root: string;
  /** Read at each start: the first one may have settings that later ones do not need. */
  env: () => Record<string, string | undefined>;
  report: Report;
}

/** One of our own processes, on this very Node. */
export function nodePart({ name, root, env, report }: NodePartOptions): PartSpec {
  return {
    name,
    command: () => ({
      file: process.execPath,
      args: [...flags, join(root, entryPoints[name])],
      env: env(),
      cwd: root,
      ipc: true,
    }),
    ready: saysReady,
    stopSignal: 'SIGTERM',
    onLine: (line) => reportLine(name, line, report),
  };
}

const WARN = 40;
const ERROR = 50;

interface LogLine {
  level: number;
  msg?: string;
  err?: { message?: string };
}

/** Passes on the lines of a process's log (pino's JSON) that a person should see. */
function reportLine(part: PartName, line: string, report: Report): void {
  if (!/^\{"level":[456]0,/.test(line)) return;
  const { level, msg, err } = parse(line);
  const text = [msg, err?.message].filter(Boolean).join(': ');
  if (level >= WARN) report({ type: 'log', part, level: level >= ERROR ? 'error' : 'warn', text });
}

function parse(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine; // pino writes these fields (logs.ts)
  } catch {
    return { level: 0 }; // not a log line after all
  }
}
