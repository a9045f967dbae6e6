import { expect, test } from '@jest/globals';
import { namesOf, type RecordedStep, reusable } from '../../domain/neosyntis/reuse.ts';

const step = (
  path: string,
  begun: number,
  ended: number | null,
  status = 'completed',
  iteration: number[] = [],
): RecordedStep => ({ path, iteration, status, begun, ended });

test('A place is told by names alone, also where a name is a number', () => {
  expect(namesOf('/do/2/each/do/0/add')).toBe('do/each/do/add');
  expect(namesOf('/do/0/7/fork/branches/1/0')).toBe('do/7/fork/branches/0');
  expect(namesOf('/do/3/again/catch/do/0/x~1y')).toBe('do/again/catch/do/x~1y');
});

test('What had ended before a step began counts, but for what failed and for the parts of what counts itself', () => {
  const from = step('/do/3/loop/do/1/b', 20, null, 'failed', [1]);
  const counting = [
    step('/do/0/a', 1, 1),
    step('/do/1/skipped', 2, 2, 'skipped'),
    step('/do/2/whole', 3, 6),
    step('/do/3/loop/do/0/a', 8, 9, 'completed', [0]),
    step('/do/3/loop/do/1/b', 10, 11, 'completed', [0]),
    step('/do/3/loop/do/0/a', 12, 19, 'completed', [1]),
  ];
  const not = [
    step('/do/2/whole/do/0/part', 4, 5),
    step('/do/3/loop', 7, null, 'failed'),
    step('/do/4/other', 13, 14, 'failed'),
    // A branch that was still under way.
    step('/do/5/side', 15, 21),
    from,
  ];
  expect(reusable([...counting, ...not], from)).toEqual(counting);
});

test('Parts of another visit of the same task are told apart by when they were', () => {
  const first = step('/do/0/list', 1, 4);
  const from = step('/do/0/list/do/1/b', 9, 9, 'failed', [1]);
  const second = step('/do/0/list/do/0/a', 8, 8, 'completed', [1]);
  const all = [first, step('/do/0/list/do/0/a', 2, 2), second, from];
  expect(reusable(all, from)).toEqual([first, second]);
});
