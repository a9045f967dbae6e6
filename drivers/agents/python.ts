import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { chown, mkdir, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sendSignal } from '../processes/proc.ts';
import type { RunAs } from '../processes/run-as.ts';

/** Downloads and builds included. */
const INSTALLED_WITHIN_MS = 15 * 60_000;

export interface PythonOptions {
  /** Where the environments are; the user can pass through it. */
  home: string;
  PATH: string;
  /** Holds a file for as long as a program runs: flock(1). */
  flock: string | undefined;
  user: RunAs | undefined;
}

/**
 * $1 the environment, $2 the interpreter. It is made anew when an earlier attempt was not finished; whoever waited for
 * the lock finds it done. A pip that the host has (22.3 or newer) spares the installation of another one.
 */
const INSTALL = `
[ -e "$1/done" ] && exit 0
cd / && rm -rf "$1/venv" || exit
if "$2" -m pip --python "$2" --version >/dev/null 2>&1
then "$2" -m venv --without-pip "$1/venv" && set -- "$1" "$2" -m pip --python "$1/venv/bin/python"
else "$2" -m venv "$1/venv" && set -- "$1" "$1/venv/bin/python" -m pip
fi || exit
folder=$1; shift
"$@" install --disable-pip-version-check --no-input --no-cache-dir -r "$folder.txt" && : > "$folder/done"`;

/** Virtual environments of agents: one for each interpreter and list of requirements, installed once on a host. */
export function createPythons({ home, PATH, flock, user }: PythonOptions) {
  const installing = new Map<string, Promise<string | undefined>>();

  /** The interpreter of an environment that has what is required, or why there is none, as `problem`. */
  return async function pythonWith(
    interpreter: string,
    requirements: readonly string[],
    { output, signal }: { output: string; signal: AbortSignal },
  ): Promise<{ python: string } | { problem: string }> {
    const text = requirements.map((line) => `${line}\n`).join('');
    const identity = [await realpath(interpreter), text];
    const key = createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32);
    const folder = join(home, 'python', key);
    const python = join(folder, 'venv', 'bin', 'python');
    if (!existsSync(join(folder, 'done')) || !existsSync(python)) {
      const running = installing.get(key) ?? install(folder, interpreter, text, output);
      installing.set(key, running);
      void running.finally(() => installing.delete(key)).catch(() => {});
      const problem = await Promise.race([running, aborted(signal)]);
      if (problem !== undefined) return { problem };
    }
    return { python };
  };

  /** Goes on for the others who wait when one of them gives up. @returns what went wrong */
  async function install(
    folder: string,
    interpreter: string,
    text: string,
    output: string,
  ): Promise<string | undefined> {
    await mkdir(folder, { recursive: true, mode: 0o755 });
    // Beside the folder: inside, its user could put a link in the way of what the host writes.
    await writeFile(`${folder}.txt`, text, { mode: 0o644 });
    if (user) await chown(folder, user.uid, user.gid);
    if (existsSync(join(folder, 'done'))) await rm(join(folder, 'done')); // its interpreter is gone
    const shell = ['/bin/sh', '-c', INSTALL, 'install', folder, interpreter];
    const [file = '', ...args] = flock ? [flock, join(folder, 'lock'), ...shell] : shell;
    const end = await ran(file, args, output, folder);
    if (end === 'code 0') return undefined;
    const words = lastWords(output);
    return `its requirements could not be installed (${end})${words === '' ? '' : `: ${words}`}`;
  }

  function ran(file: string, args: string[], output: string, HOME: string): Promise<string> {
    const log = openSync(output, 'a', 0o600);
    try {
      const child = spawn(file, args, {
        env: { PATH, HOME, LANG: 'C.UTF-8' },
        cwd: '/',
        stdio: ['ignore', log, log],
        detached: true,
        ...(user ? { uid: user.uid, gid: user.gid } : {}),
      });
      return new Promise((resolve) => {
        const late = setTimeout(() => {
          if (child.pid !== undefined) sendSignal(-child.pid, 'SIGKILL');
        }, INSTALLED_WITHIN_MS);
        const over = (how: string) => {
          clearTimeout(late);
          resolve(how);
        };
        child.once('error', (error) => over(error.message));
        child.once('exit', (code, signal) => over(signal ?? `code ${code}`));
      });
    } finally {
      closeSync(log);
    }
  }
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });

/** The last line that says something. */
function lastWords(output: string): string {
  const lines = readFileSync(output, 'utf8').slice(-4_000).split('\n');
  return (lines.filter((line) => /\berror\b/i.test(line)).at(-1) ?? lines.filter(Boolean).at(-1) ?? '').slice(
    0,
    500,
  );
}
