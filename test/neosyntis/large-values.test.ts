import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import proto from '@temporalio/proto';
import { until } from '../support/client.ts';
import { testStack } from '../support/stack.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await enterWorld('temporal');
  user = await world.newUser('operator', { runsCode: true });
});
afterAll(() => world.close());

const MIB = 1024 * 1024;
/** From this size on a payload goes by reference. */
const THRESHOLD = 256 * 1024;
const STEPS = Number(process.env.VAREON_TEST_STEPS ?? 3);
/** Different values that rounds of a loop give. */
const VALUES = 3;
/** Enough to use each value twice; more are for measuring. */
const ROUNDS = Number(process.env.VAREON_TEST_ROUNDS ?? 2 * VALUES + 1);

/** A step that prints so many of one letter. */
const print = (letter: string, bytes = MIB) => ({
  run: {
    shell: { command: 'head -c "$1" /dev/zero | tr "\\0" "$2"', arguments: [String(bytes), letter] },
  },
});

/** Runs steps to their end, and gives the run as GET shows it: large, so it is asked for once. */
async function run(steps: unknown[], deadlineMs = 120_000) {
  const { id } = await expectStatus(
    201,
    world.api('POST', '/api/neosyntis/workflows', { token: user.token, body: { name: 'large', steps } }),
  );
  const { token } = user;
  const path = `/api/neosyntis/workflows/${id}`;
  const { run_id } = await expectStatus(202, world.api('POST', `${path}/trigger`, { token, body: {} }));
  await until(
    async () => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      return (await world.api('GET', `/api/myntrix/jobs/${run_id}`, { token })).body.status;
    },
    (status) => ['completed', 'failed', 'cancelled'].includes(status),
    deadlineMs,
  );
  return (await world.api('GET', `/api/neosyntis/runs/${run_id}`, { token })).body;
}

/** The sizes of a run's history's events, as Temporal keeps them. */
async function eventSizes(runId: string): Promise<number[]> {
  const handle = world.temporal.workflow.getHandle(runId);
  await handle.result().catch(() => {}); // people see the end a moment before Temporal has it
  const { events } = await handle.fetchHistory();
  return (events ?? []).map((event) => proto.temporal.api.history.v1.HistoryEvent.encode(event).pos);
}

/** The sizes of the blobs of a run, by name. */
function blobsOf(runId: string): number[] {
  const folder = join(testStack().dataDir, 'blobs', 'runs', runId);
  return readdirSync(folder).map((name) => statSync(join(folder, name)).size);
}

describe('A value over 256 KiB', () => {
  test('goes through a run whole, and Temporal’s history has a reference to it', async () => {
    const done = await run([{ big: print('x') }, { same: { do: [] } }]);
    expect(done.status).toBe('completed');
    expect(done.output === 'x'.repeat(MIB)).toBe(true);
    expect(done.steps[0].output).toMatchObject({ truncated: true, size_bytes: MIB + 2 });
    expect(Math.max(...(await eventSizes(done.id)))).toBeLessThan(THRESHOLD);
  });

  test('is in storage once for a run, however often a step gives it', async () => {
    const repeated = Array.from({ length: STEPS }, (_, n) => ({
      [`s${n}`]: { ...print('y'), output: { as: 'length' } },
    }));
    const done = await run(repeated);
    expect(done).toMatchObject({ status: 'completed', output: MIB });
    // The result of the code steps, and the text in it as the input of an expression.
    expect(blobsOf(done.id)).toHaveLength(2);
    expect(Math.max(...(await eventSizes(done.id)))).toBeLessThan(THRESHOLD);
  }, 300_000);

  test('comes in with the trigger and is told as it is by `?wait`', async () => {
    const text = '語'.repeat(300_000);
    const id = await world.newWorkflow(user, [{ a: { set: '${ {text} }' } }]);
    const { token } = user;
    const { status, body } = await world.api('POST', `/api/neosyntis/workflows/${id}/trigger?wait=60`, {
      token,
      body: { input: { text, more: 1 } },
    });
    expect(status).toBe(200);
    expect(body.output.text === text).toBe(true);
    const [listed] = (await world.api('GET', `/api/neosyntis/workflows/${id}/runs`, { token })).body;
    for (const shown of [listed.input, listed.output])
      expect(shown).toMatchObject({ truncated: true, size_bytes: expect.any(Number) });
    expect(await eventSizes(body.run_id).then((sizes) => Math.max(...sizes))).toBeLessThan(THRESHOLD);
  });

  test('may have up to 8 MiB as a step’s output; a larger one fails with the limit', async () => {
    const large = await run([
      { big: { ...print('z', 8 * MIB - 100) } },
      { n: { set: { n: '${ length }' } } },
    ]);
    expect(large).toMatchObject({ status: 'completed', output: { n: 8 * MIB - 100 } });
    const over = await run([{ big: print('z', 8 * MIB + 1) }]);
    expect(over.error.detail).toContain(String(8 * MIB));
  });

  test('goes into each of many branches of a fork', async () => {
    const branches = Array.from({ length: 300 }, (_, n) => ({ [`b${n}`]: { set: { n } } }));
    const done = await run([
      { big: print('w', 8_000_000) },
      { all: { fork: { branches }, output: { as: 'length' } } },
    ]);
    expect(done).toMatchObject({ status: 'completed', output: 300 });
  });

  test('can be a variable of an expression that is evaluated outside the workflow', async () => {
    const done = await run([
      { big: { ...print('v', 300_000), export: { as: '{ kept: . }' } } },
      {
        look: {
          set: {
            here: '${ $context.kept | length }',
            // A comment at the end must not swallow what is put around a program.
            there: '${ ([range(3)] | length) + ($context.kept | length) # all }',
          },
        },
      },
    ]);
    expect(done).toMatchObject({ status: 'completed', output: { here: 300_000, there: 300_003 } });
  });
});

test('Rounds of a loop may each give a large value', async () => {
  const command = 'head -c 1048576 /dev/zero | tr "\\0" "$1"';
  const step = { run: { shell: { command, arguments: [`\${ "\\($index % ${VALUES})" }`] } } };
  const done = await run([{ loop: { for: { in: `[range(${ROUNDS})]` }, do: [{ big: step }] } }], 550_000);
  expect(done.status).toBe('completed');
  expect(done.output === String((ROUNDS - 1) % VALUES).repeat(MIB)).toBe(true);
  expect(Math.max(...(await eventSizes(done.id)))).toBeLessThan(THRESHOLD);
  // The different results of the host, as many texts that the next round’s expression reads, and the projected end.
  expect(blobsOf(done.id)).toHaveLength(2 * VALUES + 1);
}, 600_000);
