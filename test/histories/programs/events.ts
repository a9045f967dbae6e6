import { limited, type Program } from './program.ts';

const with_ = (type: string) => ({ with: { type: `org.example.${type}` } });

/** Says so many times what others wait for: the first may come before they listen. */
const says = (type: string, data: unknown) => ({
  say: {
    for: { in: '[range(100)]' },
    do: [
      { rest: { wait: { milliseconds: 50 } } },
      { emit: { emit: { event: { with: { ...with_(type).with, data } } } } },
    ],
  },
});

/** Runs that emit events and listen for them; what a run listens to it says itself, in another branch. */
export const events: Program[] = [
  { name: 'emit', steps: [{ say: { emit: { event: with_('said') } } }], ends: 'completed' },
  {
    name: 'listen',
    input: { room: 5 },
    steps: [
      {
        race: {
          fork: {
            compete: true,
            branches: [
              {
                hear: {
                  listen: {
                    to: {
                      any: [
                        {
                          with: { type: 'org\\.example\\.(said|sung)', data: '${ .n > 1 }' },
                          correlate: { room: { from: '.data.room', expect: '${ .room }' } },
                        },
                      ],
                      until: 'length == 3',
                    },
                  },
                  foreach: {
                    do: [{ rest: { wait: { milliseconds: 20 } } }, { got: { set: { n: '${ $item.n }' } } }],
                    output: { as: '.n' },
                    export: { as: '($context // 0) + $output' },
                  },
                },
              },
              says('said', { n: 2, room: 5 }),
            ],
          },
        },
      },
    ],
    ends: 'completed',
  },
  {
    name: 'listen-all',
    steps: [
      {
        race: {
          fork: {
            compete: true,
            branches: [
              {
                hear: {
                  listen: { to: { any: [], until: { all: [with_('a'), with_('b')] } }, read: 'envelope' },
                  output: { as: 'length >= 0' },
                },
              },
              { a: { do: [says('a', 1)] } },
              { b: { do: [says('b', 2)] } },
            ],
          },
        },
      },
    ],
    ends: 'completed',
  },
  {
    name: 'listen-in-vain',
    steps: [limited('hear', { listen: { to: { one: with_('never') } } }, 'PT0.1S')],
    ends: 'completed',
  },
];
