import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { PartName } from '../local/events.ts';
import { type Stack, startStack } from '../local/stack.ts';
import { createClient, until } from './support/client.ts';
import { serveHttp } from './support/http-server.ts';
import { openSocket } from './support/socket.ts';
import { testEnvironment } from './support/stack.ts';

/** A platform of its own: its processes are killed while it works. */
let stack: Stack;
let dataDir: string;
let api: ReturnType<typeof createClient>;
let token: string;
const password = 'seven quiet herons';

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'vareon-kills-'));
  stack = await startStack({ env: await testEnvironment(dataDir, password) });
  api = createClient(stack.apiUrl);
  await logIn();
}, 60_000);

afterAll(async () => {
  await stack?.close();
  rmSync(dataDir, { recursive: true, force: true });
}, 30_000);

async function logIn() {
  const { body } = await api('POST', '/api/token', { body: { username: 'admin', password } });
  token = body.access_token;
}

async function trigger(steps: unknown[]): Promise<string> {
  const { body: workflow } = await api('POST', '/api/neosyntis/workflows', {
    token,
    body: { name: 'killed', steps },
  });
  const { body } = await api('POST', `/api/neosyntis/workflows/${workflow.id}/trigger`, { token });
  return body.run_id;
}

/** Asks until there is an answer: while a process is away there may be none. */
const read = (path: string) =>
  api('GET', path, { token }).then(
    ({ status, body }) => (status === 200 ? body : undefined),
    () => undefined,
  );

const ended = (runId: string) =>
  until(
    () => read(`/api/neosyntis/runs/${runId}`),
    (run) => ['completed', 'failed'].includes(run?.status),
    40_000,
  );

/** Processes of this machine whose command line holds a word. */
const running = (word: string) =>
  readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(word);
    } catch {
      return false; // it ended meanwhile
    }
  });

describe('kill -9 of', () => {
  test('the host in the middle of a code step leaves the step unknown, the run failed and nothing running', async () => {
    const word = `6${Date.now()}.5`;
    const runId = await trigger([
      { work: { run: { shell: { command: `echo begun; sleep ${word} & sleep ${word}` } } } },
    ]);
    await until(
      async () => running(word).length,
      (count) => count >= 2,
      15_000,
    );
    const back = stack.part('host').nextUp();
    stack.part('host').kill('SIGKILL');
    const run = await ended(runId);
    expect(run).toMatchObject({
      status: 'failed',
      error: { instance: '/do/0/work', detail: expect.stringMatching(/unknown/) },
    });
    expect(run.steps).toMatchObject([{ status: 'unknown', attempt: 1 }]);
    await until(
      async () => running(word),
      (left) => left.length === 0,
      5_000,
    );
    await back;
    const next = await ended(await trigger([{ work: { run: { shell: { command: 'echo again' } } } }]));
    expect(next).toMatchObject({ status: 'completed', output: 'again\n' });
  }, 60_000);

  test('the platform in the middle of requests repeats a GET, and leaves a POST unknown', async () => {
    const seen: string[] = [];
    const served = await serveHttp();
    served.on('/slow', ({ method }, response) => {
      seen.push(method ?? '');
      if (seen.filter((other) => other === 'GET').length > 1) response.end('second');
    });
    const ask = (method: string) =>
      trigger([{ ask: { call: 'http', with: { method, endpoint: `${served.origin}/slow` } } }]);
    const runIds = [await ask('GET'), await ask('POST')];
    await until(
      async () => seen.length,
      (count) => count === 2,
      15_000,
    );
    stack.part('platform').kill('SIGKILL');
    const [get, post] = await Promise.all(runIds.map(ended));
    expect(get).toMatchObject({ status: 'completed', output: 'second' });
    expect(post).toMatchObject({
      status: 'failed',
      error: { instance: '/do/0/ask', detail: expect.stringMatching(/unknown/) },
      steps: [{ status: 'unknown' }],
    });
    expect(seen.sort()).toEqual(['GET', 'GET', 'POST']);
    await served.close();
  }, 60_000);

  test.each<PartName>(['platform', 'api', 'temporal', 'postgres'])(
    '%s while a run waits loses nothing: the run ends right, and who watches it misses no number',
    async (name) => {
      const runId = await trigger([
        { first: { set: { n: 1 } } },
        { pause: { wait: { seconds: 2 } } },
        { code: { run: { shell: { command: 'echo once' } }, output: { as: '{ text: ., n: 2 }' } } },
      ]);
      await until(
        () => read(`/api/neosyntis/runs/${runId}`),
        (run) => run?.steps[1]?.status === 'waiting',
        15_000,
      );
      stack.part(name).kill('SIGKILL');
      const run = await ended(runId);
      expect(run).toMatchObject({ status: 'completed', output: { text: 'once\n', n: 2 } });
      await until(
        () => read('/ready'),
        (ready) => ready?.temporal === 'ok',
        20_000,
      );
      const socket = await openSocket(
        new URL(`/ws/neosyntis/runs/${runId}?after=0`, stack.apiUrl.replace('http', 'ws')),
        token,
      );
      const end = await socket.next((frame) => frame.type === 'run' && frame.run.status === 'completed');
      expect(socket.frames.map(({ seq }) => seq)).toEqual(
        Array.from({ length: end.seq }, (_, index) => index + 1),
      );
      socket.close();
    },
    60_000,
  );
});
