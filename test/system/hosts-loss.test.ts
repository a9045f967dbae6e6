import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { until } from '../support/client.ts';
import { createHosts, type TestHost } from '../support/host.ts';
import { enterWorld, type World } from '../support/world.ts';

let world: World;
let hosts: ReturnType<typeof createHosts>;
const unique = Date.now().toString(36);
const names = ['a', 'b', 'frozen'].map((name) => `${name}-${unique}`) as [string, string, string];
const pool = `pool-${unique}`;
const started = new Map<string, TestHost>();

beforeAll(async () => {
  world = await enterWorld();
  hosts = createHosts({ url: world.url, api: world.api, token: world.admin.token });
  const [a, b, frozen] = await Promise.all([
    hosts.join(names[0], { capabilities: [pool] }),
    hosts.join(names[1], { capabilities: [pool] }),
    hosts.join(names[2]),
  ]);
  for (const [index, host] of [a, b, frozen].entries()) started.set(names[index] ?? '', host);
});
afterAll(async () => {
  await hosts.close();
  await world.close();
});

const trigger = async (steps: unknown[]): Promise<string> => {
  const id = await world.newWorkflow(world.admin, steps);
  const { body } = await world.api('POST', `/api/neosyntis/workflows/${id}/trigger`, {
    token: world.admin.token,
  });
  return body.run_id;
};

const running = (word: string) =>
  readdirSync('/proc').some((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(word);
    } catch {
      return false; // it ended meanwhile
    }
  });

// Both wait for most of their time, on hosts of their own.
test.concurrent('A host that is lost in the middle: a step that may move runs again elsewhere, of another a person says what became of it, and all see the host go', async () => {
  // The first attempt never ends; the second finds what the first left, as an idempotent step may.
  const flag = `/tmp/vareon-moved-${unique}`;
  const command = `echo try; if mkdir ${flag} 2>/dev/null; then sleep 600; fi; rmdir ${flag}; echo done`;
  const moving = await trigger([
    {
      step: {
        run: { shell: { command } },
        metadata: { capability: pool, onHostLoss: 'move', idempotent: true },
      },
    },
  ]);
  await world.untilRun(world.admin, moving, (run) => run.steps[0]?.logs === 'try\n');
  const lost = await until(
    async (): Promise<string> => {
      const pair = await Promise.all(names.slice(0, 2).map(hosts.look));
      return pair.find(({ sessions }) => sessions > 0)?.name ?? '';
    },
    (name) => name !== '',
    60_000,
  );
  const staying = await trigger([
    { step: { run: { shell: { command: 'echo try; sleep 600' } }, metadata: { host: lost } } },
  ]);
  await world.untilRun(world.admin, staying, (run) => run.steps[0]?.logs === 'try\n');
  const events = await world.watch(world.admin, '/ws/events?topics=hosts');

  started.get(lost)?.signal('SIGKILL');
  await events.next(
    (frame) => frame.event?.type === 'dev.vareon.host.offline' && frame.event.subject === lost,
  );
  expect(await hosts.look(lost)).toMatchObject({ status: 'offline' });
  events.close();

  const moved = await world.untilRun(world.admin, moving, ({ status }) => status === 'completed', 90_000);
  const other = names.slice(0, 2).find((name) => name !== lost);
  expect(moved).toMatchObject({
    output: 'try\ndone\n',
    steps: [{ status: 'completed', attempt: 2, host: other }],
  });
  const socket = await world.watch(world.admin, `/ws/neosyntis/runs/${moving}?after=0`);
  await socket.next((frame) => frame.type === 'run' && frame.run.status === 'completed');
  const printed = (by: number) =>
    socket.frames
      .filter(({ type, attempt }) => type === 'log' && attempt === by)
      .map(({ text }) => text)
      .join('');
  // It may come a moment after the end.
  await socket.next(() => printed(2).length >= 'try\ndone\n'.length);
  expect([printed(1), printed(2)]).toEqual(['try\n', 'try\ndone\n']);
  expect(
    socket.frames.filter(({ type }) => type === 'step').map(({ step }) => [step.status, step.attempt]),
  ).toContainEqual(['running', 2]);
  socket.close();
  const step = await world.api('GET', `/api/neosyntis/runs/${moving}/step?path=/do/0/step`, {
    token: world.admin.token,
  });
  expect(step.body.attempts).toMatchObject([
    { attempt: 1, status: 'unknown', host: lost, error: { detail: expect.stringContaining(lost) } },
    { attempt: 2, status: 'completed', host: other, error: null },
  ]);

  const stayed = await world.untilRun(world.admin, staying, ({ status }) => status === 'waiting', 90_000);
  expect(stayed).toMatchObject({
    steps: [
      { status: 'waiting', attempt: 1, host: lost, error: { detail: expect.stringMatching(/unknown/) } },
    ],
  });
  const question = `/api/neosyntis/approvals/${stayed.steps[0].approval_id}`;
  const { token } = world.admin;
  expect((await world.api('GET', question, { token })).body).toMatchObject({
    ...{ kind: 'outcome', status: 'open', may_answer: true },
    known: { host: lost, output_tail: 'try\n', reason: expect.stringContaining(lost) },
  });
  const answer = await world.api('POST', question, { token, body: { outcome: 'done', output: 'I looked' } });
  expect(answer.status).toBe(200);
  const said = await world.untilRun(world.admin, staying, ({ status }) => status === 'completed', 60_000);
  expect(said).toMatchObject({ output: 'I looked', steps: [{ status: 'completed', error: null }] });
});

test.concurrent('A host that freezes is seen offline, and online when it goes on; its step was given up, and its processes end', async () => {
  const [, , name] = names;
  const word = `8${Date.now()}.5`;
  const runId = await trigger([
    {
      step: {
        run: { shell: { command: `echo begun; sleep ${word}` } },
        metadata: { host: name, onUnknown: 'fail' },
      },
    },
  ]);
  await world.untilRun(world.admin, runId, (run) => run.steps[0]?.logs === 'begun\n');
  started.get(name)?.signal('SIGSTOP');
  await hosts.untilStatus(name, 'offline');
  // Its host is asked what became of it a few times.
  const run = await world.untilRun(world.admin, runId, ({ status }) => status === 'failed', 90_000);
  expect(run.steps).toMatchObject([{ status: 'unknown' }]);
  started.get(name)?.signal('SIGCONT');
  await hosts.untilStatus(name, 'online');
  await until(
    async () => running(word),
    (alive) => !alive,
    60_000,
  );
  const next = await world.run(world.admin, [
    { step: { run: { shell: { command: 'echo again' } }, metadata: { host: name } } },
  ]);
  expect(next).toMatchObject({ status: 'completed', output: 'again\n' });
});

test.concurrent('A run that is cancelled while its host is gone is cancelled, and says that nobody knows what the step did', async () => {
  const name = `gone-${unique}`;
  const host = await hosts.join(name);
  const runId = await trigger([
    { step: { run: { shell: { command: 'echo begun; sleep 600' } }, metadata: { host: name } } },
  ]);
  await world.untilRun(world.admin, runId, (run) => run.steps[0]?.logs === 'begun\n');
  host.signal('SIGKILL');
  await world.api('POST', `/api/neosyntis/runs/${runId}/cancel`, { token: world.admin.token });
  const run = await world.untilRun(world.admin, runId, ({ ended_at }) => ended_at !== null, 90_000);
  expect(run).toMatchObject({
    status: 'cancelled',
    steps: [{ status: 'unknown', host: name, error: { detail: expect.stringMatching(/unknown/) } }],
  });
});
