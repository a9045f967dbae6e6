import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepareBundle } from '../../local/bundle.ts';
import { cacheFolder } from '../../local/cache-folder.ts';
import { startStack } from '../../local/stack.ts';
import { announceStack, hasStack, testEnvironment } from './stack.ts';

const ADMIN_PASSWORD = 'seven quiet herons';

/** What a run of the tests was asked for. */
interface Asked {
  testPathPatterns: { patterns: string[] };
}

/** Starts one whole platform for all test files, on free ports and in a folder of its own, unless there is one. */
export default async function globalSetup({ testPathPatterns }: Asked): Promise<void> {
  if (hasStack()) return; // whoever started it stops it
  const dataDir = mkdtempSync(join(tmpdir(), 'vareon-test-'));
  const stack = await startStack({ env: await testEnvironment(dataDir, ADMIN_PASSWORD) });
  const { apiUrl, databaseUrl, temporalAddress, busUrl, temporalUiUrl = '' } = stack;
  announceStack({
    apiUrl,
    databaseUrl,
    temporalAddress,
    busUrl,
    temporalUiUrl,
    dataDir,
    adminPassword: ADMIN_PASSWORD,
  });
  (globalThis as { vareonTestStack?: typeof stack }).vareonTestStack = stack;
  if (testPathPatterns.patterns.length === 0) bundleSealed(dataDir);
}

/** The other bundle of the workflows: two test files need it, and would both build it, for ten seconds of a processor each. */
function bundleSealed(dataDir: string): void {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const env = process.env;
  const signal = AbortSignal.timeout(120_000);
  const onBuild = () => {};
  prepareBundle({
    root,
    cacheDir: cacheFolder(root, dataDir),
    env,
    sealsFailures: true,
    signal,
    onBuild,
  }).catch(
    () => {}, // whoever needs it builds it, and says what is wrong
  );
}
