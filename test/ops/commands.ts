import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Ended {
  code: number | null;
  output: string;
}

/** Runs what `npm run backup` or `npm run restore` runs, to its end. */
export function runCommand(
  name: 'backup' | 'restore',
  args: string[],
  env: Record<string, string | undefined>,
): Promise<Ended> {
  const child = spawn(process.execPath, [`ops/${name}.ts`, ...args], {
    cwd: root,
    env: { ...env, NODE_COMPILE_CACHE: 'node_modules/.cache/vareon/compile' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}
