import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isEnded } from '../../domain/neosyntis/runs.ts';
import { until } from '../support/client.ts';
import { enterWorld, expectStatus, type Run, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
let first: Run;

/** Another value each time; the longer one is too large for a row. */
const random = (bytes: number) => ({
  run: { shell: { command: `head -c ${bytes} /dev/urandom | base64 -w0` } },
});

const steps = [
  { seed: { ...random(60_000), export: { as: '{ seed: . }' } } },
  { loop: { for: { in: '[1, 2, 3]' }, do: [{ roll: random(8) }], output: { as: '{ last: . }' } } },
  { choose: { switch: [{ yes: { then: 'after' } }] } },
  { never: { set: { never: true } } },
  {
    after: {
      do: [
        { inner: { set: { seen: '${ .last }' } } },
        {
          breaks: {
            if: '$workflow.input.fails',
            raise: { error: { type: 'https://example.org/no', status: 500 } },
          },
        },
      ],
    },
  },
  { last: { set: { seen: '${ .seen }', seed: '${ $context.seed | length }' } } },
];
const BREAKS = '/do/4/after/do/1/breaks';

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator', { runsCode: true });
  first = await world.run(user, steps, { fails: true });
});
afterAll(() => world.close());

const post = (body: object, id = first.id, headers: Record<string, string> = {}) =>
  world.api('POST', `/api/neosyntis/runs/${id}/rerun`, { token: user.token, body, headers });

async function rerun(body: object, id = first.id): Promise<Run> {
  const { run_id } = await expectStatus(202, post(body, id));
  return world.untilRun(user, run_id, ({ status }) => isEnded(status));
}

const outputOf = (run: Run, path: string, iteration: number[] = []) =>
  run.steps.find((one: Run) => one.path === path && one.iteration.join() === iteration.join())?.output;
const reusedOf = (run: Run) => run.steps.filter((one: Run) => one.reused).map((one: Run) => one.name);

describe('A run again from a step', () => {
  test('has the outcomes of what had ended before it, and does the rest', async () => {
    expect(first).toMatchObject({ status: 'failed', rerun_of: null, reruns: [] });
    const again = await rerun({ from: BREAKS });
    // The same input: it breaks again, at the same place.
    expect(again).toMatchObject({ status: 'failed', error: first.error, input: { fails: true } });
    const mended = await rerun({ from: BREAKS, input: { fails: false } });
    expect(mended).toMatchObject({
      status: 'completed',
      rerun_of: { run_id: first.id, from: BREAKS, iteration: [] },
      output: { seen: outputOf(first, '/do/1/loop').last, seed: 80_000 },
    });
    expect(reusedOf(mended)).toEqual(['seed', 'loop', 'choose', 'inner']);
    expect(mended.steps.map(({ name }: Run) => name)).not.toContain('never');
    const { body } = await world.api('GET', `/api/neosyntis/runs/${first.id}`, { token: user.token });
    expect(body.reruns).toEqual([mended.id, again.id]);
    const whole = (id: string) =>
      world.api('GET', `/api/neosyntis/runs/${id}/step/output?path=/do/0/seed`, { token: user.token });
    expect((await whole(mended.id)).text === (await whole(first.id)).text).toBe(true);
    // Again, from what was itself reused: a run that repeats one that repeats.
    const third = await rerun({ from: '/do/5/last' }, mended.id);
    expect(third).toMatchObject({ status: 'completed', output: mended.output });
  });

  test('goes on in the middle of a loop, in a version that has other steps before', async () => {
    const body = { steps: [{ fresh: { set: { fresh: '${ . }' } } }, ...steps] };
    const path = `/api/neosyntis/workflows/${first.workflow_id}`;
    await expectStatus(200, world.api('PUT', path, { token: user.token, body }));
    const from = '/do/1/loop/do/0/roll';
    const run = await rerun({ from, iteration: [1], version: 2, input: { fails: false } });
    expect(run).toMatchObject({ status: 'completed', version: 2, rerun_of: { from, iteration: [1] } });
    expect(reusedOf(run)).toEqual(['seed', 'roll']);
    const rolls = (of: Run, list: string) => [0, 1, 2].map((n) => outputOf(of, list, [n]));
    const [before, now] = [rolls(first, from), rolls(run, '/do/2/loop/do/0/roll')];
    expect(now[0]).toBe(before[0]);
    expect(now).not.toContain(before[1]);
    expect(now).not.toContain(before[2]);
  });

  test('is refused where there is nothing to go on from', async () => {
    const refusals: [object, string][] = [
      [{ from: '/do/3/never' }, 'not reached'],
      [{ from: '/do/1/loop/do/0/roll' }, 'ran 3 times'],
      [{ from: '/do/1/loop/do/0/roll', iteration: [7] }, 'in round 7'],
      [{ iteration: [1] }, '`from`'],
    ];
    for (const [body, why] of refusals) {
      const { status, body: problem } = await post(body);
      expect({ status, detail: problem.detail }).toEqual({
        status: 422,
        detail: expect.stringContaining(why),
      });
    }
    const other = await world.newWorkflow(user, [{ long: { wait: { hours: 1 } } }]);
    const { run_id } = await expectStatus(
      202,
      world.api('POST', `/api/neosyntis/workflows/${other}/trigger`, { token: user.token }),
    );
    expect(await post({}, run_id)).toMatchObject({ status: 409 });
    await world.api('PUT', `/api/neosyntis/workflows/${other}`, {
      token: user.token,
      body: { steps: [{ short: { set: { a: 1 } } }] },
    });
    // It may not have begun in Temporal yet.
    await until(
      () => world.api('POST', `/api/neosyntis/runs/${run_id}/cancel`, { token: user.token }),
      ({ status }) => status === 202,
      60_000,
    );
    await world.untilRun(user, run_id, ({ status }) => isEnded(status));
    expect(await post({ from: '/do/0/long', version: 2 }, run_id)).toMatchObject({ status: 422 });
    expect(await post({ version: 9 }, run_id)).toMatchObject({ status: 404 });
  });
});

test('A whole run again has the same input and version, once for an Idempotency-Key', async () => {
  const key = { 'Idempotency-Key': 'again' };
  const { run_id } = await expectStatus(202, post({}, first.id, key));
  expect((await post({}, first.id, key)).body.run_id).toBe(run_id);
  expect(await post({ input: 1 }, first.id, key)).toMatchObject({ status: 422 });
  const run = await world.untilRun(user, run_id, ({ status }) => isEnded(status));
  expect(run).toMatchObject({ status: 'failed', version: 1, rerun_of: { run_id: first.id, from: null } });
  expect(reusedOf(run)).toEqual([]);
  expect(outputOf(run, '/do/0/seed')).not.toEqual(outputOf(first, '/do/0/seed'));
});
