import { type Program, SECRET_NAME, shell } from './program.ts';

/** What works on a host. */
export const code: Program[] = [
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
    name: 'mcp-on-a-host',
    steps: [
      {
        silent: {
          call: 'mcp',
          with: {
            method: 'tools/list',
            parameters: { key: `\${ $secrets.${SECRET_NAME} }` },
            transport: { stdio: { command: 'true', environment: { KEY: `\${ $secrets.${SECRET_NAME} }` } } },
          },
        },
      },
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
