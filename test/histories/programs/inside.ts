import { type Program, raise } from './program.ts';

/** What runs inside the workflow alone, or asks the platform and nobody else. */
export const inside: Program[] = [
  {
    name: 'schemas',
    document: { input: { schema: { document: { type: 'object' } } } },
    input: { n: 1 },
    steps: [
      {
        fits: { set: { n: 1 }, output: { schema: { document: { properties: { n: { type: 'number' } } } } } },
      },
      {
        not: { set: { n: 'x' }, output: { schema: { document: { properties: { n: { type: 'number' } } } } } },
      },
    ],
    ends: 'failed',
  },
  {
    name: 'extensions',
    document: {
      use: {
        extensions: [
          {
            watch: {
              extend: 'set',
              before: [{ see: { wait: { milliseconds: 5 } } }],
              after: [{ saw: { do: [] } }],
            },
          },
          { mock: { extend: 'call', before: [{ instead: { set: { n: 7 }, then: 'exit' } }] } },
        ],
      },
    },
    steps: [
      { one: { set: { n: 1 } } },
      { two: { call: 'http', with: { method: 'get', endpoint: 'https://example.org/' } } },
    ],
    ends: 'completed',
  },
  {
    name: 'telemetry',
    steps: [
      { none: { call: 'telemetry.query', with: { metric_name: 'nobody.sends.it', aggregation: 'avg' } } },
      { wrong: { call: 'telemetry.query', with: { metric_name: 'a', bucket: '5m' } } },
    ],
    ends: 'failed',
  },
  {
    name: 'telemetry-wait',
    steps: [
      {
        nothing: {
          try: [
            {
              wait: {
                call: 'telemetry.wait_for',
                with: { device: 'nobody has it', metric: 'T', condition: '>=', value: 60, timeout: 'PT1S' },
              },
            },
          ],
          catch: { do: [{ instead: { set: { n: 1 } } }] },
        },
      },
    ],
    ends: 'completed',
  },
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
    name: 'functions',
    document: {
      use: {
        functions: {
          double: { input: { from: '.n' }, set: '${ . * 2 }' },
          both: {
            fork: {
              branches: [
                { one: { call: 'double', with: { n: '${ .n }' } } },
                { two: { call: 'double', with: { n: '${ [range(.n)] | add }' } } },
              ],
            },
          },
        },
      },
    },
    steps: [
      { loop: { for: { in: '[2, 3]' }, do: [{ all: { call: 'both', with: { n: '${ $item }' } } }] } },
      { rest: { wait: 'PT0.05S' } },
    ],
    ends: 'completed',
  },
  {
    name: 'wait',
    steps: ['wait 50ms', { more: { wait: '${ "PT0.2S" }' } }, { done: { set: { done: true } } }],
    ends: 'completed',
  },
];
