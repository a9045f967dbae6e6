// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isEnded } from '../../domain/neosyntis/runs.ts';
import { runInLegs } from '../support/legs.ts';
import { enterWorld, expectStatus, type Run, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
beforeAll(async () => {
  world = await enterWorld('sql', 'temporal');
  user = await world.newUser('operator');
});
afterAll(() => world.close());

const isStatus =
  (status: string) =>
  (run: Run): boolean =>
    run.status === status;

const ask = (id: string, word: 'pause' | 'resume' | 'cancel') =>
  world.api('POST', `/api/neosyntis/runs/${id}/${word}`, { token: user.token });

async function trigger(document: object): Promise<string> {
  const { token } = user;
  const dsl = { dsl: '1.0.3', namespace: 'test', name: 'pause', version: '1.0.0' };
  const body = { document: dsl, ...document };
  const { id } = await expectStatus(
    201,
    world.api('POST', '/api/neosyntis/workflows/import', { token, body }),
  );
  return (
    await expectStatus(202, world.api('POST', `/api/neosyntis/workflows/${id}/trigger`, { token, body: {} }))
  ).run_id;
}

/** Two branches of many short steps: a pause finds it in the middle, however slow the machine is. */
const items = Array.from({ length: 60 }, (_, index) => index);
const rounds = {
  for: { in: items },
  do: [{ rest: { wait: { milliseconds: 20 } } }, { next: { set: { n: 1 } } }],
};
const busy = { do: [{ side: { fork: { branches: [{ one: rounds }, { two: rounds }] } } }] };

describe('A run that is paused', () => {
  test.concurrent('begins no step in any branch until it is resumed, in one execution or many', async () => {
    const whole = await trigger(busy);
    for (const begin of [() => whole, () => runInLegs(world, whole, 15)]) {
      const id = await begin();
      const socket = await world.watch(user, `/ws/neosyntis/runs/${id}?after=0`);
      await world.untilRun(user, id, ({ steps_total }) => steps_total > 5);
      await expectStatus(202, ask(id, 'pause'));
      await world.untilRun(user, id, isStatus('paused'));
      const { status } = await expectStatus(202, ask(id, 'pause'));
      expect(status).toBe('paused');
      // What waited goes on to its end.
      const still = await world.untilRun(user, id, ({ steps }) =>
        steps.every(({ status }: Run) => status !== 'waiting'),
      );
      expect(still.status).toBe('paused');
      await expectStatus(202, ask(id, 'resume'));
      const run = await world.untilRun(user, id, ({ status }) => isEnded(status));
      expect(run).toMatchObject({ status: 'completed', output: [{ n: 1 }, { n: 1 }] });
      await socket.next(({ type, run }) => type === 'run' && run.status === 'completed');
      const courses = socket.frames.map(({ type, step, run }) => (type === 'run' ? run.status : step.status));
      const [from, to] = [courses.indexOf('paused'), courses.lastIndexOf('running')];
      expect(from).toBeGreaterThan(-1);
      expect(to).toBeGreaterThan(from);
      // Each branch may have waited; whatever else came in between would be a step that began.
      const between = courses.slice(from + 1, to);
      expect(between.filter((status) => status !== 'completed')).toEqual([]);
      expect(between.length).toBeLessThanOrEqual(2);
      socket.close();
      for (const word of ['pause', 'resume'] as const) {
        const { detail } = await expectStatus(409, ask(id, word));
        expect(detail).toContain('is completed');
      }
    }
  });

  test.concurrent('is cancelled all the same, and its time limit counts on', async () => {
    const cancelled = await trigger(busy);
    await expectStatus(202, ask(cancelled, 'pause'));
    await world.untilRun(user, cancelled, isStatus('paused'));
    await expectStatus(202, ask(cancelled, 'cancel'));
    await world.untilRun(user, cancelled, isStatus('cancelled'));

    const limited = await trigger({ ...busy, timeout: { after: { seconds: 3 } } });
    await expectStatus(202, ask(limited, 'pause'));
    await world.untilRun(user, limited, isStatus('paused'));
    const run = await world.untilRun(user, limited, isStatus('failed'));
    expect(run.error.type).toMatch(/timeout$/);
  });
});
