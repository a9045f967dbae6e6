import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startStack } from '../../local/stack.ts';
import { announceStack, hasStack, testEnvironment } from './stack.ts';

const ADMIN_PASSWORD = 'seven quiet herons';

/** Starts one whole platform for all test files, on free ports and in a folder of its own, unless there is one. */
export default async function globalSetup(): Promise<void> {
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
}
