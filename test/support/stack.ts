/** What the test files know of the stack that global-setup.ts started. */
export interface TestStack {
  apiUrl: string;
  databaseUrl: string;
  temporalAddress: string;
  temporalUiUrl: string;
  dataDir: string;
  adminPassword: string;
}

const VARIABLE = 'VAREON_TEST_STACK';

export function announceStack(stack: TestStack): void {
  process.env[VARIABLE] = JSON.stringify(stack);
  // Tests of repositories make databases of their own on the same server.
  process.env.TEST_DATABASE_URL = stack.databaseUrl;
}

export function testStack(): TestStack {
  const text = process.env[VARIABLE];
  if (!text) throw new Error('the test stack is not running: run the tests with npm test');
  return JSON.parse(text) as TestStack; // written by announceStack
}
