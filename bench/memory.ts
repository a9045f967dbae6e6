import { readFileSync } from 'node:fs';
import { residentMb } from './resident.ts';
import { withStack } from './stack.ts';

/** Resident memory of all our Node processes, idle, the supervisor included. Prints one JSON line. */
const LIMIT_MB = 700;
const IDLE_MS = 15_000;

const names: [RegExp, string][] = [
  [/local\/main\.ts/, 'supervisor'],
  [/api\/main\.ts/, 'api'],
  [/workers\/platform\.ts/, 'platform'],
  [/workers\/host\.ts/, 'host'],
];

await withStack(async ({ start }) => {
  const stack = await start();
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  const processes = [stack.pid, ...descendants(stack.pid)]
    .map((pid) => ({ name: nameOf(pid), rss_mb: residentMb(pid) }))
    .filter((one): one is { name: string; rss_mb: number } => one.name !== undefined);
  await stack.stop();
  const rss_mb = Math.round(processes.reduce((sum, one) => sum + one.rss_mb, 0));
  const ok = rss_mb <= LIMIT_MB && processes.length >= names.length;
  console.log(JSON.stringify({ bench: 'memory', rss_mb, limit_mb: LIMIT_MB, ok, processes }));
  process.exitCode = ok ? 0 : 1;
});

function descendants(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter(Boolean)
    .map(Number);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

/** Node processes only: what each runs, undefined for PostgreSQL and Temporal. */
function nameOf(pid: number): string | undefined {
  const [file = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  if (!/(^|\/)node$/.test(file)) return undefined;
  return names.find(([pattern]) => args.some((arg) => pattern.test(arg)))?.[1] ?? args.join(' ').trim();
}
