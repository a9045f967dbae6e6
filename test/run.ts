import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * `npm test`: the tests, and type check, lint and layer rules while those wait; `npm test -- <path>` runs those
 * tests only. Ends with `N passed, N failed`, in which each check counts as one.
 */
const only = process.argv.slice(2);
const bin = (name: string) => join('node_modules', '.bin', name);

const checks: Check[] = [
  // By one thread: several would check half of it twice, and the tests have use for the processors. Collecting its
  // garbage was a quarter of it.
  {
    name: 'type check',
    env: { ...process.env, GOGC: '400' },
    command: bin('tsc'),
    args: [
      ...['--noEmit', '--singleThreaded', '--incremental'],
      ...['--tsBuildInfoFile', join('node_modules', '.cache', 'vareon', 'types.tsbuildinfo')],
    ],
  },
  { name: 'lint', command: bin('biome'), args: ['check', '--error-on-warnings', '.'] },
  {
    name: 'layer rules',
    command: bin('depcruise'),
    args: [
      ...['--config', '.dependency-cruiser.cjs', '--output-type', 'err'],
      ...[
        'domain',
        'workflows',
        'activities',
        'drivers',
        'db',
        'workers',
        'api',
        'local',
        'ops',
        'production',
      ],
      ...['config.ts', 'keys.ts', 'logs.ts', 'process.ts'],
    ],
  },
];

interface Check {
  name: string;
  command: string;
  args: string[];
  env?: NodeJS.ProcessEnv;
}

function run({ command, args, env = process.env }: Check): Promise<{ ok: boolean; text: string }> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    // The tests measure times: what compiles meanwhile takes what they leave.
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
    const chunks: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', (error) => resolve({ ok: false, text: error.message }));
    child.on('close', (code) => resolve({ ok: code === 0, text: Buffer.concat(chunks).toString() }));
  });
}

async function check(one: Check): Promise<boolean> {
  const startedAt = performance.now();
  const { ok, text } = await run(one);
  console.log(
    `${ok ? 'PASS' : 'FAIL'} ${one.name} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`,
  );
  if (!ok) console.log(text);
  return ok;
}

/** Far more than the tests take; whoever waits for the end of this command is to see one. */
const LIMIT_MS = 40 * 60_000;

function jest(resultFile: string): Promise<boolean> {
  const child = spawn(
    process.execPath,
    [
      join('node_modules', 'jest', 'bin', 'jest.js'),
      ...['--forceExit', '--json', `--outputFile=${resultFile}`],
      ...only,
    ],
    {
      env: {
        ...process.env,
        NODE_OPTIONS:
          '--experimental-vm-modules --disable-warning=ExperimentalWarning --max-semi-space-size=32',
        NODE_COMPILE_CACHE: join('node_modules', '.cache', 'vareon', 'compile'),
        ...(process.stderr.isTTY ? { FORCE_COLOR: '1' } : {}),
      },
      // Jest reports on standard error; standard output would repeat the JSON. A process that a test left behind
      // holds this pipe, and not the one of whoever started us.
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    },
  );
  child.stderr.pipe(process.stderr);
  // All of its group: Jest's workers do not end with it, and would test on for minutes.
  const end = () => {
    if (child.pid && child.exitCode === null && child.signalCode === null)
      process.kill(-child.pid, 'SIGKILL');
  };
  const limit = setTimeout(() => {
    console.error(`the tests are not over after ${LIMIT_MS / 60_000} min: they are ended`);
    end();
  }, LIMIT_MS);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end);
  return new Promise((resolve) =>
    child.on('exit', (code) => {
      clearTimeout(limit);
      resolve(code === 0);
    }),
  );
}

const folder = mkdtempSync(join(tmpdir(), 'vareon-results-'));
const resultFile = join(folder, 'jest.json');
const checking = only.length > 0 ? [] : checks.map(check);
const succeeded = await jest(resultFile);
const checked = await Promise.all(checking);
let passed = checked.filter(Boolean).length;
let failed = checked.length - passed;
try {
  // As jest --json writes it: a file that could not run is a suite without tests.
  const results = JSON.parse(readFileSync(resultFile, 'utf8')) as Record<string, number>;
  passed += results.numPassedTests ?? 0;
  failed += (results.numFailedTests ?? 0) + (results.numRuntimeErrorTestSuites ?? 0);
} catch {
  failed += 1; // Jest itself could not start; it has said why
}
if (!succeeded && failed === 0) failed = 1;
rmSync(folder, { recursive: true, force: true });
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
