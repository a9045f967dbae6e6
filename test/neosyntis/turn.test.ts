import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { TaskList } from '../../domain/neosyntis/dsl.ts';
import { turnLimitMs } from '../../domain/neosyntis/turn.ts';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

const a = { a: { set: { n: 1 } } };
const to = (then: string) => ({ choose: { switch: [{ on: { then } }] } });
const loop = { all: { for: { in: '${ [1] }' }, do: [a] } };

describe('A turn of a run', () => {
  test.each<[string, TaskList, number]>([
    ['some tasks', [a, { b: { do: [{ c: { set: {} } }] } }], 10_000],
    ['a leap forward', [to('last'), a, { last: { set: {} } }], 10_000],
    ['an exit', [a, to('exit')], 10_000],
    ['a `try` without retries', [{ t: { try: [a], catch: {} } }], 10_000],
    ['a `for`', [loop], 60_000],
    ['a `for` in a branch', [{ f: { fork: { branches: [loop] } } }], 60_000],
    ['a way back', [a, to('a')], 60_000],
    ['a task that leads to itself', [{ a: { set: {}, then: 'a' } }], 60_000],
    ['retries', [{ t: { try: [a], catch: { retry: {} } } }], 60_000],
    ['a way back in a handler', [{ t: { try: [a], catch: { do: [a, to('a')] } } }], 60_000],
    ['many tasks', Array.from({ length: 101 }, (_, n) => ({ [`t${n}`]: { set: {} } })), 60_000],
  ])('of %s may take as long as doing all again takes', (_what, steps, limitMs) => {
    expect(turnLimitMs({ do: steps })).toBe(limitMs);
  });
});

describe('Temporal', () => {
  let world: World;
  let user: TestUser;
  beforeAll(async () => {
    world = await enterWorld('temporal');
    user = await world.newUser('operator');
  });
  afterAll(() => world.close());

  test('is told so when a run is started', async () => {
    for (const [steps, seconds] of [
      [[a], 10],
      [[loop], 60],
    ] as const) {
      const { id } = await world.run(user, [...steps]);
      const { raw } = await world.temporal.workflow.getHandle(id).describe();
      expect(Number(raw.executionConfig?.defaultWorkflowTaskTimeout?.seconds)).toBe(seconds);
    }
  });
});
