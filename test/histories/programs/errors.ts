import { limited, type Program, raise, runtime, shell } from './program.ts';

/** Errors and time limits. */
export const errors: Program[] = [
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
      limited('silent', { call: 'approval.wait' }, 'PT0.2S'),
      {
        decided: {
          ...{ call: 'approval.wait', with: { onTimeout: 'reject' }, timeout: { after: 'PT0.2S' } },
          output: { as: 'del(.at)' },
        },
      },
    ],
    ends: 'completed',
  },
  {
    name: 'run-timeout',
    document: { timeout: { after: 'PT0.3S' } },
    steps: [{ rest: { wait: { hours: 1 } } }],
    ends: 'failed',
  },
  {
    name: 'devices-that-are-none',
    steps: [
      { connect: { device: 'nobody' } },
      { disconnect: { device: 'nobody' } },
      { command: { device: 'nobody', command: 'M105' } },
    ].flatMap((one) =>
      Object.entries(one).map(([action, args]) => ({
        [action]: {
          try: [{ order: { call: `device.${action}`, with: args } }],
          catch: { as: 'why', do: [{ say: { set: '${ $why.detail }' } }] },
        },
      })),
    ),
    ends: 'completed',
  },
  {
    name: 'agents-that-are-none',
    steps: ['start', 'stop', 'restart'].map((action) => ({
      [action]: {
        try: [{ order: { call: `agent.${action}`, with: { agent: 'nobody' } } }],
        catch: { as: 'why', do: [{ say: { set: '${ $why.detail }' } }] },
      },
    })),
    ends: 'completed',
  },
];
