import { expect, test } from '@jest/globals';
import { createBatches } from '../../db/batches.ts';

test('What comes while a write is under way is written together in the next one', async () => {
  const written: number[][] = [];
  const batches = createBatches<number>(async (items) => void written.push(items));
  await Promise.all([1, 2, 3, 4].map(batches.add));
  expect(written).toEqual([[1], [2, 3, 4]]);
});

test('One that is refused takes no other with it', async () => {
  const written: number[] = [];
  const batches = createBatches<number>(async (items) => {
    if (items.includes(3)) throw new Error('no threes');
    written.push(...items);
  });
  const results = await Promise.allSettled([1, 2, 3, 4].map(batches.add));
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  expect(written.sort()).toEqual([1, 2, 4]);
});

test('A write that never ends holds up none that comes after it', async () => {
  const batches = createBatches<string>(([item]) =>
    item === 'dead' ? new Promise(() => {}) : Promise.resolve(),
  );
  void batches.add('dead');
  await batches.add('alive');
});
