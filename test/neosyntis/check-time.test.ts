import { expect, test } from '@jest/globals';
import { createCheckTime } from '../../api/neosyntis/check-time.ts';

test('Whoever has definitions checked for long waits, and nobody else does', () => {
  let now = 0;
  const time = createCheckTime(() => now);
  const check = (user: string, ms: number) => () =>
    time.spend(user, () => {
      now += ms;
      return 'checked';
    });
  for (let round = 0; round < 7; round++) expect(check('a', 5_000)()).toBe('checked');
  expect(check('a', 1)).toThrow(expect.objectContaining({ code: 'rate_limited' }));
  expect(check('b', 1)()).toBe('checked');
  now += 30_000;
  expect(check('a', 1)()).toBe('checked');
});

test('Checks that fail take time, too', () => {
  let now = 0;
  const time = createCheckTime(() => now);
  const failing = () =>
    time.spend('a', () => {
      now += 60_000;
      throw new Error('not valid');
    });
  expect(failing).toThrow('not valid');
  expect(failing).toThrow(expect.objectContaining({ code: 'rate_limited' }));
});
