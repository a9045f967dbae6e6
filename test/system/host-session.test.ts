import { execFile } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { testStack } from '../support/stack.ts';

/** Begins sessions in a namespace that is not there, in a process whose connections are all its own. */
const source = (temporal: string) => `
  const at = (path) => import(${JSON.stringify(process.cwd())} + '/' + path);
  const { startSession } = await at('workers/host/session.ts');
  const { installRuntime } = await at('workers/temporal.ts');
  const { createLogger } = await at('logs.ts');
  const { readdirSync, readFileSync, readlinkSync } = await import('node:fs');
  const log = createLogger('test', 'silent');
  installRuntime(log);
  const port = Number(${JSON.stringify(temporal)}.split(':')[1]).toString(16).toUpperCase().padStart(4, '0');
  const connections = () => {
    const inodes = new Set(readFileSync('/proc/self/net/tcp', 'utf8').split('\\n').slice(1)
      .map((line) => line.trim().split(/\\s+/))
      .filter(([, , remote, state]) => remote?.endsWith(':' + port) && state === '01')
      .map((fields) => fields[9]));
    return readdirSync('/proc/self/fd').filter((fd) => {
      try { return inodes.has(/^socket:\\[(\\d+)\\]$/.exec(readlinkSync('/proc/self/fd/' + fd))?.[1]); } catch { return false; }
    }).length;
  };
  const errors = [];
  for (let i = 0; i < 3; i++)
    await startSession({
      settings: {
        name: 'nowhere', temporal: { address: ${JSON.stringify(temporal)}, namespace: 'nowhere', tls: false, api_key: null },
        bus: { url: 'mqtt://127.0.0.1:1', username: 'nobody', password: 'x' }, payloads: { keys: [], seals: false },
      },
      credential: 'x', generation: 1, processes: {}, open: async (step) => ({ step, release() {} }), blobs: undefined,
      capabilities: {}, onSuperseded() {}, log,
    }).catch((error) => errors.push(error.message));
  const deadline = Date.now() + 60_000;
  while (connections() > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  console.log(JSON.stringify({ errors, left: connections() }));
  process.exit(0);`;

test('A host that cannot begin to work, tried again and again, leaves no connection to Temporal behind', async () => {
  const { temporalAddress } = testStack();
  const output = await new Promise<string>((resolve, reject) =>
    execFile(
      process.execPath,
      ['--input-type=module', '-e', source(temporalAddress)],
      { timeout: 150_000 },
      (error, stdout, stderr) => (error ? reject(new Error(`${error.message}${stderr}`)) : resolve(stdout)),
    ),
  );
  // Before it come the SDK's own lines.
  expect(JSON.parse(output.trim().split('\n').at(-1) ?? '')).toEqual({
    errors: Array.from({ length: 3 }, () => expect.stringMatching(/nowhere/i)),
    left: 0,
  });
});
