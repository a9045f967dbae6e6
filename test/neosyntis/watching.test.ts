import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Frame, openSocket, type TestSocket } from '../support/socket.ts';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
const folder = mkdtempSync(join(tmpdir(), 'vareon-watching-'));
chmodSync(folder, 0o755); // steps look into it as another user

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator', { runsCode: true });
});
afterAll(async () => {
  await world.close();
  rmSync(folder, { recursive: true });
});

const steps = [
  { a: { set: { n: 1 } } },
  { pause: { wait: { milliseconds: 400 } } },
  { speak: { run: { shell: { command: 'echo first; sleep 0.2; echo second' } } } },
];

async function start(more: object[] = []): Promise<string> {
  const id = await world.newWorkflow(user, [...more, ...steps]);
  const { body } = await world.api('POST', `/api/neosyntis/workflows/${id}/trigger`, { token: user.token });
  return body.run_id;
}

/** A run that says nothing until it is let go. */
async function startHeld() {
  const file = join(folder, randomBytes(6).toString('hex'));
  const command = `until [ -e ${file} ]; do sleep 0.1; done`;
  const runId = await start([{ held: { run: { shell: { command } } } }]);
  return { runId, letGo: () => writeFileSync(file, '') };
}

const isEnd = (frame: Frame) => frame.type === 'run' && frame.run?.status === 'completed';

const numbers = ({ frames }: TestSocket) => frames.map(({ seq }) => seq);

const printed = ({ frames }: TestSocket) =>
  frames
    .filter(({ type }) => type === 'log')
    .map(({ text }) => text)
    .join('');

const upTo = (n: number, from = 1) => Array.from({ length: n - from + 1 }, (_, index) => from + index);

describe('Watching a run', () => {
  test('gives a snapshot, then every change and log line, numbered without gaps', async () => {
    const { runId, letGo } = await startHeld();
    const socket = await world.watch(user, `/ws/neosyntis/runs/${runId}`);
    const snapshot = await socket.next(({ type }) => type === 'snapshot');
    expect(snapshot.run.id).toBe(runId);
    letGo();
    await socket.next(isEnd);
    // What it printed may come a moment later.
    await socket.next(() => printed(socket).length >= 'first\nsecond\n'.length);
    expect(printed(socket)).toBe('first\nsecond\n');
    expect(numbers(socket)).toEqual(upTo(numbers(socket).at(-1), snapshot.seq));
    socket.close();
  });

  test('goes on after the number where it was cut, missing and repeating nothing', async () => {
    const { runId, letGo } = await startHeld();
    const first = await world.watch(user, `/ws/neosyntis/runs/${runId}?after=0`);
    const cut = await first.next(({ type }) => type === 'step');
    first.close();
    await first.closed;
    const last = first.frames.at(-1)?.seq ?? cut.seq;
    const second = await world.watch(user, `/ws/neosyntis/runs/${runId}?after=${last}`);
    letGo();
    await second.next(isEnd);
    const all = [...numbers(first), ...numbers(second)];
    expect(all).toEqual(upTo(all.at(-1)));
    second.close();
  });

  test('replays an ended run from its beginning', async () => {
    const run = await world.run(user, steps);
    const socket = await world.watch(user, `/ws/neosyntis/runs/${run.id}?after=0`);
    await socket.next(isEnd);
    expect(numbers(socket)).toEqual(upTo(numbers(socket).at(-1)));
    socket.close();
  });

  test('is refused before the upgrade: without login, to others, from other origins', async () => {
    const runId = await start();
    const url = new URL(`/ws/neosyntis/runs/${runId}`, world.url.replace('http', 'ws'));
    await expect(openSocket(url)).rejects.toMatchObject({ status: 401 });
    const other = await world.newUser('operator');
    await expect(openSocket(url, other.token)).rejects.toMatchObject({ status: 404 });
    await expect(openSocket(url, user.token, { Origin: 'https://evil.example' })).rejects.toMatchObject({
      status: 403,
    });
    const sameOrigin = await openSocket(url, user.token, { Origin: world.url });
    sameOrigin.close();
  });

  test('ends when the login is revoked', async () => {
    const someone = await world.newUser('operator');
    const socket = await world.watch(someone, '/ws/events');
    await socket.next(({ type }) => type === 'snapshot');
    await world.api('POST', '/api/logout', { token: someone.token });
    const { code, reason } = await socket.closed;
    expect({ code, reason }).toEqual({ code: 1008, reason: expect.stringContaining('revoked') });
  });
});

describe('Watching events', () => {
  test('shows the owner and administrators what happens to a run, and nobody else', async () => {
    const other = await world.newUser('operator');
    const [mine, admins, others] = await Promise.all(
      [user, world.admin, other].map((who) => world.watch(who, '/ws/events?topics=runs,jobs')),
    );
    const runId = await start();
    const isOurEnd = (frame: Frame) =>
      frame.event?.subject === runId && frame.event?.type === 'dev.vareon.run.completed';
    await Promise.all([mine?.next(isOurEnd), admins?.next(isOurEnd)]);
    expect(others?.frames.filter(({ event }) => event?.subject === runId)).toEqual([]);
    for (const socket of [mine, admins, others]) socket?.close();
  });

  test('tells gaps: each event names the one before it that may be seen', async () => {
    const socket = await world.watch(user, '/ws/events?topics=runs');
    const snapshot = await socket.next(({ type }) => type === 'snapshot');
    const runId = await start();
    await socket.next(({ event }) => event?.subject === runId && event?.type === 'dev.vareon.run.completed');
    const [, ...events] = socket.frames;
    expect(events.map(({ previous }) => previous)).toEqual([
      snapshot.seq,
      ...events.slice(0, -1).map(({ seq }) => seq),
    ]);
    const again = await world.watch(user, `/ws/events?topics=runs&after=${snapshot.seq}`);
    await again.next(({ seq }) => seq === events.at(-1)?.seq);
    expect(again.frames.slice(0, events.length)).toEqual(events);
    for (const one of [socket, again]) one.close();
  });

  test('refuses topics that do not exist, naming those that do', async () => {
    await expect(world.watch(user, '/ws/events?topics=runs,cats')).rejects.toMatchObject({ status: 422 });
  });
});
