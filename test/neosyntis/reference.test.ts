import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { compareMany } from '../reference/campaign.ts';
import { enterWorld, type World } from '../support/world.ts';

let world: World;

beforeAll(async () => {
  world = await enterWorld();
});
afterAll(() => world.close());

/** `npm run reference` compares thousands; `VAREON_REFERENCE_SEED` begins elsewhere. */
test('Documents of a fixed set do on the platform what the reference interpreter says', async () => {
  const seed = Number(process.env.VAREON_REFERENCE_SEED ?? 20_261_121);
  const { differences, compared, failed, kinds } = await compareMany(world, { documents: 40, seed });
  expect(differences.map(({ report }) => report)).toEqual([]);
  expect(compared).toBe(40);
  // They fail and complete, and each kind is among them.
  expect(failed).toBeGreaterThan(5);
  expect(failed).toBeLessThan(35);
  for (const kind of [
    'set',
    'do',
    'for',
    'switch',
    'fork',
    'compete',
    'try',
    'retry',
    'raise',
    'wait',
    'export',
  ])
    expect(kinds[kind]).toBeGreaterThan(0);
});
