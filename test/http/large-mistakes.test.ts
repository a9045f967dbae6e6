import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let viewer: TestUser;
beforeAll(async () => {
  world = await enterWorld();
  viewer = await world.newUser('viewer');
});
afterAll(() => world.close());

/** Nothing but wrong: as many as fit into a body, no two the same. */
const numbers = Array.from({ length: 140_000 }, (_, index) => index);
const unknown = Object.fromEntries(numbers.slice(0, 90_000).map((index) => [`f${index}`, 0]));

describe('A body with nothing right in it', () => {
  test.each([
    ['from nobody', 'POST', '/api/token', unknown, false],
    ['with a list of unequal things', 'POST', '/api/api-tokens', { name: 'x', permissions: numbers }, true],
    ['with a list that is far too long', 'PUT', '/api/users/me', { granted_permissions: numbers }, true],
  ])('%s is refused soon, in few words', async (_whose, method, path, body, logsIn) => {
    const startedAt = performance.now();
    const { status, text } = await world.api(method, path, {
      body,
      ...(logsIn ? { token: viewer.token } : {}),
    });
    expect(status).toBe(422);
    expect(text.length).toBeLessThan(10_000);
    // Each took the API from 1 s to minutes, for all who use it.
    expect(performance.now() - startedAt).toBeLessThan(60_000);
  });

  test('of a size that people send has its first hundred problems named', async () => {
    const body = Object.fromEntries(numbers.slice(0, 300).map((index) => [`f${index}`, 0]));
    const answer = await world.api('POST', '/api/token', { body });
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toHaveLength(100);
    expect(answer.body.detail).toMatch(/302 problems/);
  });
});
