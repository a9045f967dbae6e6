import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const execute = promisify(execFile);

const cache = fileURLToPath(new URL('../../node_modules/.cache/vareon/bench', import.meta.url));
const PM2 = 'pm2@7.0.4';
const SUPERVISOR = 'supervisor==4.3.0';

/** PM2's command line, installed once beside the build caches: no dependency of the product. */
export async function installPm2(): Promise<string> {
  const folder = join(cache, PM2);
  const program = join(folder, 'node_modules/.bin/pm2');
  if (!existsSync(program)) {
    mkdirSync(folder, { recursive: true });
    await execute('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', '--no-save', PM2]);
  }
  return program;
}

/** The folder of supervisor's programs, in a virtual environment of its own. */
export async function installSupervisor(): Promise<string> {
  const folder = join(cache, SUPERVISOR);
  const bin = join(folder, 'bin');
  if (!existsSync(join(bin, 'supervisord'))) {
    await execute('python3', ['-m', 'venv', folder]);
    await execute(join(bin, 'python'), ['-m', 'pip', 'install', '--quiet', SUPERVISOR]);
  }
  return bin;
}
