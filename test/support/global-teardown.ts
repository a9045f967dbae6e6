import { rmSync } from 'node:fs';
import { testStack } from './stack.ts';

export default async function globalTeardown(): Promise<void> {
  const { vareonTestStack } = globalThis as { vareonTestStack?: { close(): Promise<void> } }; // set by global-setup.ts
  if (!vareonTestStack) return; // it was somebody else's
  await vareonTestStack.close();
  rmSync(testStack().dataDir, { recursive: true, force: true, maxRetries: 10 });
}
