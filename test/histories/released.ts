import { execFileSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Whether the version has its tag in this repository. */
export function isReleased(version: string): boolean {
  const cwd = dirname(fileURLToPath(import.meta.url));
  try {
    return execFileSync('git', ['tag', '--list', `v${version}`], { cwd, encoding: 'utf8' }).trim() !== '';
  } catch {
    return false; // not a clone: nothing is released from here
  }
}
