import { join } from 'node:path';
import { freePort } from '../../local/ports.ts';

/** What the test files know of the stack that global-setup.ts started, or whoever set the variable. */
export interface TestStack {
  apiUrl: string;
  databaseUrl: string;
  temporalAddress: string;
  temporalUiUrl: string;
  /** `default` unless it says otherwise. */
  temporalNamespace?: string;
  /** As the platform reaches it. */
  busUrl: string;
  dataDir: string;
  /** How old what an API decides by may be, when another one changed it: 0 unless there are several. */
  replicaLagMs?: number;
  /** `keys` of the data folder unless it says otherwise. */
  keysDir?: string;
  adminPassword: string;
  /** A database URL whose user may create databases, where that of the platform may not. */
  testDatabaseUrl?: string;
}

const VARIABLE = 'VAREON_TEST_STACK';

export function announceStack(stack: TestStack): void {
  process.env[VARIABLE] = JSON.stringify(stack);
  // Tests of repositories make databases of their own on the same server.
  process.env.TEST_DATABASE_URL = stack.testDatabaseUrl ?? stack.databaseUrl;
}

/** Whether the tests are to use a platform that somebody else started (test/topology). */
export const hasStack = (): boolean => Boolean(process.env[VARIABLE]);

export function testStack(): TestStack {
  const text = process.env[VARIABLE];
  if (!text) throw new Error('the test stack is not running: run the tests with npm test');
  return JSON.parse(text) as TestStack; // written by announceStack
}

/** Where the platform has its keys. */
export function stackKeysDir(): string {
  const { keysDir, dataDir } = testStack();
  return keysDir ?? join(dataDir, 'keys');
}

/** The settings of a stack for tests: free ports, a folder of its own, nothing of the caller's own settings. */
export async function testEnvironment(
  dataDir: string,
  adminPassword: string,
): Promise<Record<string, string | undefined>> {
  const taken = new Set<number>();
  const port = async () => {
    const free = await freePort(taken);
    taken.add(free);
    return String(free);
  };
  const { PATH, HOME, LANG, XDG_CACHE_HOME, TEMPORAL_CLI_PATH, LOG_LEVEL = 'info' } = process.env;
  const { VAREON_CACHED_WORKFLOWS, VAREON_LEG_TASKS } = process.env;
  return {
    ...{ PATH, HOME, LANG, XDG_CACHE_HOME, TEMPORAL_CLI_PATH, LOG_LEVEL },
    ...{ VAREON_CACHED_WORKFLOWS, VAREON_LEG_TASKS },
    // Temporal collects its garbage less often, a fifth of its work, and does not look for work on several processors
    // at once, a tenth of it: what it leaves the tests need.
    ...{ GOGC: '400', GOMAXPROCS: '1' },
    VAREON_DATA_DIR: dataDir,
    VAREON_ADMIN_PASSWORD: adminPassword,
    VAREON_PORT: await port(),
    TEMPORAL_UI_PORT: await port(),
    // Servers of tests; every other address of this machine is forbidden to users.
    VAREON_OUTBOUND_ALLOW: '127.0.0.1/32',
    // Small enough that a test sends one that is larger.
    VAREON_MAX_UPLOAD_BYTES: String(4 * 1024 * 1024),
    // Few enough that a test opens one too many.
    VAREON_MAX_SOCKETS_PER_USER: '200',
  };
}
