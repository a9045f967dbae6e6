import { spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { sendSignal } from '../../drivers/processes/proc.ts';
import { identify } from '../../local/child/identity.ts';
import { freePort } from '../../local/ports.ts';
import { readState } from '../../local/state.ts';
import { until as untilAsked } from '../support/client.ts';
import { createPatientClient } from '../support/patient.ts';
import { temporaryFolder, until } from './tools.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('npm start shows where everything is and the first password, knows its host by then, and Ctrl-C leaves nothing running but agents', async () => {
  using folder = temporaryFolder();
  const taken = new Set<number>();
  const [port, uiPort] = [await freePort(taken), await freePort(taken)];
  const { PATH, HOME, XDG_CACHE_HOME } = process.env;
  const supervisor = spawn(process.execPath, ['local/main.ts'], {
    cwd: root,
    env: {
      ...{ PATH, HOME, XDG_CACHE_HOME, NODE_COMPILE_CACHE: 'node_modules/.cache/vareon/compile' },
      ...{ VAREON_DATA_DIR: folder.path, VAREON_PORT: String(port), TEMPORAL_UI_PORT: String(uiPort) },
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  using _killed = { [Symbol.dispose]: () => supervisor.kill('SIGKILL') };
  const ended = new Promise<number | null>((resolve) => supervisor.once('close', resolve));
  let output = '';
  supervisor.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await until(() => output.includes('Ctrl-C stops it') || supervisor.exitCode !== null, 180_000);
  expect(output).toContain('Vareon is ready');
  expect(output).toContain(`http://127.0.0.1:${port}/docs`);
  expect(output).toContain(`http://127.0.0.1:${uiPort}`);
  expect(output).toMatch(/User +admin\n +Password +[\w-]{20} /);
  expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200);
  expect(statSync(folder.path).mode & 0o777).toBe(0o700);

  const api = createPatientClient(`http://127.0.0.1:${port}`);
  const password = / Password +(\S+)/.exec(output)?.[1] ?? '';
  const { access_token: token } = (await api('POST', '/api/token', { body: { username: 'admin', password } }))
    .body;
  const metrics = await api('GET', '/api/myntrix/system-metrics', { token }); // its host is known by now
  expect(metrics.body.hosts).toMatchObject([{ host: 'local', timestamp: expect.any(String) }]);
  const configuration = { command: 'sleep', args: ['86400'] };
  const made = await api('POST', '/api/myntrix/agents', { token, body: { name: 'nap', configuration } });
  const nap = `/api/myntrix/agents/${made.body.id}`;
  expect((await api('POST', `${nap}/start`, { token })).status).toBe(202);
  const started = await untilAsked(
    async () => (await api('GET', nap, { token })).body,
    ({ status }) => status === 'running',
    60_000,
  );
  expect(started).toMatchObject({ health: 100, pid: expect.any(Number) });
  const agent = started.pid;
  using _agent = { [Symbol.dispose]: () => sendSignal(agent, 'SIGKILL') };

  const parts = readState(folder.path)?.parts ?? [];
  expect(parts.map((part) => part.part).sort()).toEqual(['api', 'host', 'platform', 'postgres', 'temporal']);
  const host = parts.find((part) => part.part === 'host');
  if (process.platform === 'linux')
    expect(readFileSync(`/proc/${host?.pid}/environ`, 'utf8')).not.toMatch(/DATABASE_URL|ADMIN_PASSWORD/);

  const stoppingAt = Date.now();
  supervisor.kill('SIGINT');
  expect(await ended).toBe(0);
  expect(Date.now() - stoppingAt).toBeLessThan(60_000);
  expect(parts.filter((part) => identify(part.pid) === part.identity)).toEqual([]);
  expect(readState(folder.path)).toBeUndefined();
  expect(output).toContain('1 agent goes on running');
  expect(sendSignal(agent, 0)).toBe(true);
});
