/** A kind of run that needs nothing but to be started. */
export interface Program {
  name: string;
  steps: unknown[];
  /** Of the whole document, beside `do`. */
  document?: object;
  input?: unknown;
  ends: 'completed' | 'failed';
}

/** The name of the secret that these use. */
export const SECRET_NAME = 'door';

function shell(command: string, more: object = {}) {
  return { run: { shell: { command, ...more } } };
}
const raise = (detail: string) => ({
  raise: { error: { type: 'https://example.org/errors/no', title: 'No', status: 409, detail } },
});
const type = (name: string) => `https://open-workflow-specification.org/dsl/errors/types/${name}`;
const runtime = { errors: { with: { type: type('runtime') } } };

/** What runs inside the workflow alone. */
const plain: Program[] = [
  {
    name: 'plain',
    document: { input: { from: '{ n: .n }' }, output: { as: '{ result: ., last: $context.last }' } },
    input: { n: 4 },
    steps: [
      { first: { set: { n: '${ .n + 1 }' }, export: { as: '{ last: $output.n }' } } },
      { skipped: { set: { n: 0 }, if: '.n > 100' } },
      {
        each: {
          for: { each: 'one', in: '[1, 2, 3]' },
          while: '(.n // 0) < 100',
          do: [{ add: { set: { n: '${ .n + $one }' } } }],
        },
      },
      { choose: { switch: [{ big: { when: '.n > 5', then: 'list' } }, { small: { then: 'end' } }] } },
      { never: { set: { n: -1 } } },
      { list: { do: [{ inner: { set: { n: '${ .n }' }, then: 'exit' } }, { out: { set: { n: 0 } } }] } },
    ],
    ends: 'completed',
  },
  {
    name: 'backwards',
    input: { n: 0 },
    steps: [
      { add: { set: { n: '${ .n + 1 }' } } },
      { rest: { wait: { milliseconds: 20 } } },
      { again: { switch: [{ yes: { when: '.n < 4', then: 'add' } }, { no: { then: 'end' } }] } },
    ],
    ends: 'completed',
  },
  {
    name: 'raise',
    steps: [{ before: { set: { a: 1 } } }, { no: raise('as it was asked to') }],
    ends: 'failed',
  },
  {
    name: 'wrong-expression',
    steps: [{ a: { set: { text: 'x' } } }, { no: { set: '${ .text.deeper }' } }],
    ends: 'failed',
  },
  // More than one workflow task may compute, and more changes than go along with a call: it pauses and flushes.
  {
    name: 'long-loop',
    steps: [
      {
        loop: {
          for: { each: 'one', in: '[range(150)]' },
          do: [{ add: { set: { n: '${ (.n // 0) + ($one | tostring | length) }' } } }],
        },
      },
    ],
    ends: 'completed',
  },
  {
    name: 'loop-with-waits',
    steps: [
      {
        loop: {
          for: { in: '[range(8)]' },
          do: [{ rest: { wait: '${ if $index % 2 == 0 then "PT0.02S" else "PT0.15S" end }' } }],
        },
      },
    ],
    ends: 'completed',
  },
  {
    name: 'guarded-expressions',
    steps: [
      { numbers: { set: '${ [range(2000)] }' } },
      { text: { set: { text: '${ map(tostring) | join(" ") | test("1999$") }', all: '${ . | length }' } } },
      {
        caught: {
          try: [{ no: { set: '${ [range(10)] | error("no") }' } }],
          catch: { as: 'why', do: [{ say: { set: '${ $why.title }' } }] },
        },
      },
    ],
    ends: 'completed',
  },
  {
    name: 'wait',
    steps: ['wait 50ms', { more: { wait: '${ "PT0.2S" }' } }, { done: { set: { done: true } } }],
    ends: 'completed',
  },
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
  {
    name: 'try-retry',
    steps: [
      {
        careful: {
          try: [{ check: shell('echo tried; exit 3') }],
          catch: {
            ...runtime,
            as: 'why',
            retry: {
              delay: 'PT0.1S',
              backoff: { exponential: {} },
              jitter: { from: 'PT0.01S', to: 'PT0.05S' },
              limit: { attempt: { count: 2, duration: 'PT20S' } },
            },
            do: [{ say: { set: '${ $why.status }' } }],
          },
        },
      },
      {
        passes: {
          try: [{ no: raise('caught without a word') }],
          catch: { errors: { with: { status: 409 } }, when: '$error.status == 409' },
        },
      },
    ],
    ends: 'completed',
  },
  {
    name: 'try-that-does-not-catch',
    steps: [{ careful: { try: [{ no: raise('not taken') }], catch: runtime } }],
    ends: 'failed',
  },
  {
    name: 'task-timeout',
    steps: [
      limited('list', { do: [{ rest: { wait: { hours: 1 } } }] }, 'PT0.2S'),
      limited('code', shell('sleep 60'), 'PT1S'),
    ],
    ends: 'completed',
  },
  {
    name: 'run-timeout',
    document: { timeout: { after: 'PT0.3S' } },
    steps: [{ rest: { wait: { hours: 1 } } }],
    ends: 'failed',
  },
];

/** What works on a host. */
const code: Program[] = [
  {
    name: 'code',
    input: { name: 'Ada' },
    steps: [
      { shell: shell('echo "$1"; cat', { arguments: ['${ .name }'], stdin: '${ .name }' }) },
      {
        script: {
          run: { script: { language: 'js', code: 'console.log(JSON.stringify({ n: 1 }))' } },
          output: { as: 'fromjson' },
        },
      },
      { all: { run: { ...shell('exit 4').run, return: 'all' }, metadata: { capability: 'node' } } },
      { none: { run: { ...shell('true').run, return: 'none' } } },
    ],
    ends: 'completed',
  },
  {
    name: 'code-loop',
    steps: [
      {
        loop: {
          for: { in: '[range(3)]' },
          do: [{ one: shell('echo "$1"', { arguments: ['${ $index }'] }) }],
        },
      },
    ],
    ends: 'completed',
  },
  { name: 'code-that-fails', steps: [{ no: shell('echo broken >&2; exit 7') }], ends: 'failed' },
  {
    name: 'code-with-secret',
    steps: [
      {
        code: shell('test -n "$KEY" && echo "$KEY"', {
          environment: { KEY: `\${ $secrets.${SECRET_NAME} }` },
        }),
      },
      { missing: shell('true', { environment: { KEY: '${ $secrets.none_such }' } }) },
    ],
    ends: 'failed',
  },
  {
    name: 'large-value',
    steps: [
      { big: shell('head -c 300000 /dev/zero | tr "\\0" x') },
      { keep: { do: [], export: { as: '{ big: . }' } } },
      { rest: { wait: { milliseconds: 150 } } },
      {
        look: { set: { bytes: '${ $context.big | length }', same: '${ [range(2)] + [. == $context.big] }' } },
      },
      { all: { set: '${ $context.big }' } },
    ],
    ends: 'completed',
  },
];

/** What asks other servers, of which one is at `origin` (test/histories/record.ts). */
const outbound = (origin: string): Program[] => {
  const http = (path: string, more: object = {}) => ({
    call: 'http',
    with: { method: 'GET', endpoint: `${origin}${path}`, ...more },
  });
  return [
    {
      name: 'http',
      input: { id: 'a b' },
      steps: [
        { read: http('/things/{id}', { query: { page: 1 } }) },
        { write: http('/things', { method: 'POST', body: { n: '${ 1 }' }, output: 'response' }) },
        {
          caught: {
            try: [{ no: http('/missing') }],
            catch: { as: 'why', do: [{ say: { set: '${ $why.status }' } }] },
          },
        },
        { no: { call: 'http', with: { method: 'GET', endpoint: 'http://10.0.0.1/' } } },
      ],
      ends: 'failed',
    },
    {
      name: 'http-with-secret',
      steps: [
        {
          read: {
            call: 'http',
            with: {
              method: 'GET',
              endpoint: {
                uri: `${origin}/things/1`,
                authentication: { bearer: { token: `\${ $secrets.${SECRET_NAME} }` } },
              },
            },
          },
        },
      ],
      ends: 'completed',
    },
    { name: 'http-timeout', steps: [limited('slow', http('/slow'), 'PT0.5S')], ends: 'completed' },
    {
      name: 'notify-email',
      steps: [
        { before: { set: { text: 'It is done.' } } },
        {
          mail: {
            call: 'notify.email',
            with: { to: 'ada@example.org', subject: 'Done', text: '${ .text }' },
          },
        },
      ],
      ends: 'completed',
    },
    {
      name: 'notify-webhook',
      steps: [
        {
          hook: {
            call: 'notify.webhook',
            with: { url: `${origin}/hook`, body: { type: 'run.done', data: '${ . }' } },
          },
        },
      ],
      ends: 'completed',
    },
  ];
};

export const programs = (origin: string): Program[] => [...plain, ...code, ...outbound(origin)];

function numbered(count: number, task: (n: number) => object) {
  return Array.from({ length: count }, (_, n) => ({ [`b${n}`]: task(n) }));
}

/** A task that takes too long, whose timeout is caught. */
function limited(name: string, task: object, after: string) {
  return {
    [`${name}-caught`]: {
      try: [{ [name]: { ...task, timeout: { after } } }],
      catch: { errors: { with: { type: type('timeout') } }, do: [{ late: { set: { late: true } } }] },
    },
  };
}
