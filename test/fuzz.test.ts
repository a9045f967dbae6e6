import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runCampaign } from './fuzz/campaign.ts';
import { enterWorld, type World } from './support/world.ts';

let world: World;

beforeAll(async () => {
  world = await enterWorld();
});
afterAll(() => world.close());

/** `npm run fuzz` sends many more. */
test('No hostile request of a fixed set gets an answer that is not documented', async () => {
  const { failures, requests, operations } = await runCampaign(world, {
    requests: 1_500,
    seed: 20_261_121,
    // It ends by the count: a busy machine sends no fewer.
    minutes: 14,
  });
  expect(failures).toEqual([]);
  expect(requests).toBeGreaterThan(1_000);
  expect(operations).toBeGreaterThan(50);
}, 900_000);
