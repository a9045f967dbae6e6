/** What the runs do: a mix of everything whose repetition or loss can be seen. */
export interface Program {
  name: string;
  steps: unknown[];
  /** What each run appends to the file of marks, after its token: by code steps, each at most once. */
  marks: string[];
  /** Whether each run puts one mail into the outbox, with its token as the subject. */
  mails: boolean;
}

const input = (field: string) => `\${ $workflow.input.${field} }`;
const last = { done: { set: { token: input('token') } } };

/** Appends one line, which a write of O_APPEND does whole, and goes on for a while so that it can be killed. */
const mark = (name: string, seconds: number) => ({
  [`mark-${name}`]: {
    run: {
      shell: {
        command: 'echo "$1" >> "$2"; sleep "$3"; echo "$1"',
        arguments: [`\${ $workflow.input.token + " ${name}" }`, input('file'), String(seconds)],
      },
    },
    // Nobody is there to be asked.
    metadata: { onUnknown: 'fail' },
  },
});

export const programs: Program[] = [
  {
    name: 'pure',
    steps: [
      { first: { set: { items: [1, 2, 3] } } },
      { each: { for: { each: 'item', in: '.items' }, do: [{ double: { set: { n: '${ $item * 2 }' } } }] } },
      { choose: { switch: [{ big: { when: '.n > 5', then: 'done' } }, { other: { then: 'exit' } }] } },
      last,
    ],
    marks: [],
    mails: false,
  },
  {
    name: 'wait',
    steps: [{ short: { wait: { seconds: 1 } } }, 'wait 7s', last],
    marks: [],
    mails: false,
  },
  { name: 'code', steps: [mark('a', 0.3), mark('b', 0), last], marks: ['a', 'b'], mails: false },
  { name: 'long', steps: [mark('a', 4), last], marks: ['a'], mails: false },
  {
    name: 'fork',
    steps: [
      {
        side: {
          fork: {
            branches: [
              { left: { do: [{ before: { wait: 'PT0.5S' } }, mark('left', 0.5)] } },
              { right: { do: [mark('right', 0.2), { after: { wait: 'PT1S' } }] } },
              { middle: { wait: { seconds: 2 } } },
            ],
          },
        },
      },
      last,
    ],
    marks: ['left', 'right'],
    mails: false,
  },
  {
    name: 'verb',
    steps: [
      { mail: { call: 'notify.email', with: { to: 'ops@example.org', subject: input('token'), text: 'x' } } },
      'wait 1s',
      last,
    ],
    marks: [],
    mails: true,
  },
];

/** In which order they are triggered: what waits costs little, so that many runs are open at once. */
export const mix: string[] = [
  ...['wait', 'code', 'pure', 'wait', 'long', 'verb'],
  ...['wait', 'fork', 'pure', 'wait', 'verb'],
];
