import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { isEnded } from '../../domain/neosyntis/runs.ts';
import { createHosts } from '../support/host.ts';
import { enterWorld, type World } from '../support/world.ts';

/** Two live processes that both take themselves for the host of one name. */
let world: World;
let hosts: ReturnType<typeof createHosts>;
let notes: string;
const name = `twice-${Date.now().toString(36)}`;

beforeAll(async () => {
  world = await enterWorld();
  hosts = createHosts({ url: world.url, api: world.api, token: world.admin.token });
  notes = mkdtempSync(join(tmpdir(), 'vareon-fenced-'));
  await chmod(notes, 0o777); // steps run as another user
});
afterAll(async () => {
  await hosts.close();
  await world.close();
  rmSync(notes, { recursive: true, force: true });
});

/** Triggers a run of one step, which notes each time that it is run. */
async function trigger(step: string, then: string): Promise<string> {
  const command = `echo ran >> ${join(notes, step)}; ${then}`;
  const steps = [{ step: { run: { shell: { command } }, metadata: { host: name, onUnknown: 'fail' } } }];
  const id = await world.newWorkflow(world.admin, steps);
  const path = `/api/neosyntis/workflows/${id}/trigger`;
  return (await world.api('POST', path, { token: world.admin.token })).body.run_id;
}

const timesRan = () =>
  Object.fromEntries(readdirSync(notes).map((step) => [step, readFileSync(join(notes, step), 'utf8')]));

test('Of two live hosts of one name the superseded one runs nothing more, is not heard and ends; no step runs twice', async () => {
  const first = await hosts.join(name, { capabilities: ['holder=first'] });
  const held = await trigger('held', 'echo begun; sleep 600');
  await world.untilRun(world.admin, held, (run) => run.steps[0]?.logs === 'begun\n');
  first.signal('SIGSTOP');

  const events = await world.watch(world.admin, '/ws/events?topics=hosts');
  // A token that names the host takes the name over while the other is seen online.
  const successor = hosts.start([
    ...['--name', name, '--token', await hosts.newToken({ name }), '--capability', 'holder=successor'],
  ]);
  await events.next(({ event }) => event?.type === 'dev.vareon.host.online' && event.subject === name);
  const since = events.frames.length;

  // Temporal has polls of both: what it hands to the frozen one waits there until that goes on.
  const placed = await Promise.all(
    Array.from({ length: 12 }, (_, n) => trigger(`placed-${n}`, 'echo "$VAREON_RUN_ID"')),
  );
  const more = (async () => {
    first.signal('SIGCONT');
    return Promise.all(Array.from({ length: 4 }, (_, n) => trigger(`later-${n}`, 'echo "$VAREON_RUN_ID"')));
  })();
  expect(await first.ended).toBe(1);
  expect(first.output()).toMatch(/stops: .*(another holder|another machine has its name|credential)/);

  const completed = [];
  for (const id of [...placed, ...(await more)]) {
    const run = await world.untilRun(world.admin, id, ({ status }) => isEnded(status), 90_000);
    // Of what the frozen one was handed and kept for too long nobody knows whether it ran.
    if (run.steps[0]?.status === 'unknown') continue;
    expect(run).toMatchObject({
      ...{ status: 'completed', output: `${id}\n`, steps: [{ host: name, attempt: 1 }] },
    });
    completed.push(id);
  }
  expect(completed.length).toBeGreaterThanOrEqual(4);
  // What the first ran when it was frozen is nobody's to run again.
  const lost = await world.untilRun(world.admin, held, ({ status }) => status === 'failed');
  expect(lost).toMatchObject({ steps: [{ status: 'unknown', logs: 'begun\n' }] });
  const ran = timesRan();
  expect(Object.keys(ran).length).toBeGreaterThan(completed.length);
  expect(new Set(Object.values(ran))).toEqual(new Set(['ran\n']));

  // Neither its end nor its last will is news of the host.
  expect(await hosts.look(name)).toMatchObject({ status: 'online', capabilities: { holder: 'successor' } });
  expect(events.frames.slice(since).filter(({ event }) => event?.subject === name)).toEqual([]);
  events.close();
  successor.signal('SIGTERM');
  expect(await successor.ended).toBe(0);
});
