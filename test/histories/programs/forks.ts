import { type Program, raise, shell } from './program.ts';

/** Branches side by side. */
export const forks: Program[] = [
  {
    name: 'fork',
    steps: [
      {
        side: {
          fork: {
            branches: [
              { a: { do: [{ rest: { wait: { milliseconds: 200 } } }, { say: { set: { n: 1 } } }] } },
              { b: shell('echo b') },
              { c: { set: { n: '${ [range(3)] | add }' } } },
            ],
          },
        },
      },
      { many: { fork: { branches: numbered(60, (n) => ({ set: { n } })) }, output: { as: 'length' } } },
    ],
    ends: 'completed',
  },
  // Local activities of several branches, after which each does something else, more or less soon.
  {
    name: 'fork-of-expressions',
    steps: [
      {
        side: {
          fork: {
            branches: [
              { a: { do: [{ rest: { wait: '${ [range(20000)] | length | "PT0.05S" }' } }] } },
              { b: { wait: '${ [range(3)] | length | "PT0.1S" }' } },
              { c: { do: [{ deep: { do: [{ code: shell('echo c', { stdin: '${ [range(2)] }' }) }] } }] } },
              { d: { set: { n: '${ [range(30000)] | length }' } } },
            ],
          },
        },
      },
    ],
    ends: 'completed',
  },
  {
    name: 'fork-that-fails',
    steps: [
      {
        side: {
          fork: {
            branches: [
              { waits: { wait: { hours: 1 } } },
              { works: shell('sleep 60') },
              { fails: { do: [{ rest: { wait: { seconds: 2 } } }, { no: raise('a branch') }] } },
            ],
          },
        },
      },
    ],
    ends: 'failed',
  },
  {
    name: 'fork-compete',
    steps: [
      {
        race: {
          fork: {
            compete: true,
            branches: [
              { slow: { wait: { hours: 1 } } },
              { quick: { wait: { milliseconds: 100 } } },
              { no: raise('a racer') },
            ],
          },
        },
      },
    ],
    ends: 'completed',
  },
];

function numbered(count: number, task: (n: number) => object) {
  return Array.from({ length: count }, (_, n) => ({ [`b${n}`]: task(n) }));
}
