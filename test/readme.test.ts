import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { testStack } from './support/stack.ts';

const execute = promisify(execFile);

const readme = readFileSync('README.md', 'utf8');

/** The commands of the tour as they stand in the README, one a line. */
const tour = (/```bash\n([\s\S]*?)```/.exec(readme)?.[1] ?? '').trim().split('\n');

describe('The README', () => {
  test('has at most 150 lines, and at most 8 commands in its tour', () => {
    expect(readme.split('\n').length).toBeLessThanOrEqual(150);
    expect(tour.length).toBeLessThanOrEqual(8);
  });

  test('gives commands that do what it says', async () => {
    const stack = testStack();
    const [where, ...commands] = tour;
    expect(where).toBe("export VAREON=http://localhost:8000 PASSWORD='the password'");
    // Only the address and the password are this stack's; every other character is the README's.
    const script = [
      'set -euo pipefail',
      `export VAREON=${stack.apiUrl} PASSWORD='${stack.adminPassword}' TEMPORAL_UI=${stack.temporalUiUrl}`,
      ...commands.slice(0, -1),
      // People see the end of a run a moment before Temporal has it.
      `while state=$(${commands.at(-1)}); [ "$state" = WORKFLOW_EXECUTION_STATUS_RUNNING ]; do sleep 0.2; done`,
      'echo "$state"',
    ].join('\n');
    const { stdout } = await execute('bash', ['-c', script], { timeout: 180_000 });
    expect(stdout).toMatch(/completed {2}\/do\/0\/measure\/fork\/branches\/0\/disks/);
    expect(stdout).toMatch(/stderr {5}this host has \d+ MiB of memory/);
    expect(stdout).toMatch(/completed {2}run [0-9a-f-]{36}/);
    expect(stdout).toMatch(/healthy: (true|false)/);
    expect(stdout).toMatch(/checked: \[[\s\S]*'memory'/);
    expect(stdout).toMatch(/WORKFLOW_EXECUTION_STATUS_COMPLETED/);
  });

  test('names every setting that config.ts knows and people may set, as .env.example does', () => {
    const example = readFileSync('.env.example', 'utf8');
    const named = [...readme.matchAll(/`([A-Z][A-Z_]+)`/g)].map(([, name]) => name);
    for (const name of named) expect(example).toContain(`# ${name}=`);
  });
});
