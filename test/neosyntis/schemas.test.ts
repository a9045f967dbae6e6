// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { enterWorld, expectStatus, type Run, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator');
});
afterAll(() => world.close());

const type = 'https://open-workflow-specification.org/dsl/errors/types/validation';
const withField = (name: string, type: string) => ({
  schema: {
    format: 'json',
    document: { type: 'object', properties: { [name]: { type } }, required: [name] },
  },
});

/** A task whose validation error is put into the context by its name. */
const caught = (name: string, task: object) => ({
  [`${name}-caught`]: {
    try: [{ [name]: task }],
    catch: {
      errors: { with: { type, status: 400 } },
      do: [
        {
          keep: {
            set: { n: 1 },
            export: { as: `($context // {}) + { "${name}": ($error | {detail, instance}) }` },
          },
        },
      ],
    },
  },
});

const slow = {
  set: { text: `${'a'.repeat(60)}!` },
  output: { schema: { document: { properties: { text: { pattern: '^(a|a)*$' } } } } },
};

const document = {
  document: { dsl: '1.0.3', namespace: 'test', name: 'schemas', version: '0.1.0' },
  input: { ...withField('number', 'integer'), from: '{ n: .number }' },
  do: [
    // Before `from`, which would make it fit.
    caught('raw', { input: { ...withField('m', 'number'), from: '{ m: 1 }' }, set: { m: 1 } }),
    // After `as`, which makes it fit no more; nothing is exported.
    caught('out', {
      set: { a: 'x' },
      output: { as: '{ a: 1, b: [true, "b"] }', schema: { document: { $ref: '#/$defs/a', ...broken() } } },
      export: { as: '"never"' },
    }),
    caught('exported', {
      set: { a: 1 },
      export: { as: '.a', schema: { document: { type: 'string' } } },
      input: { from: '{ a: 1 }' },
    }),
    {
      fits: {
        input: { schema: { document: true } },
        set: { n: 1 },
        output: withField('n', 'number'),
        export: { as: '$context + $output', ...withField('n', 'number') },
      },
    },
  ],
  output: { as: '$context', ...withField('n', 'integer') },
};

function broken() {
  return {
    $defs: {
      a: {
        properties: {
          a: { type: 'string' },
          b: { items: { anyOf: [{ type: 'boolean' }, { type: 'null' }] } },
        },
        additionalProperties: false,
      },
    },
  };
}

async function run(input: unknown, changes: object = {}): Promise<Run> {
  const { id } = await expectStatus(
    201,
    world.api('POST', '/api/neosyntis/workflows/import', {
      token: user.token,
      body: { ...document, ...changes },
    }),
  );
  const started = await expectStatus(
    202,
    world.api('POST', `/api/neosyntis/workflows/${id}/trigger`, { token: user.token, body: { input } }),
  );
  return world.untilRun(user, started.run_id, ({ status }) => ['completed', 'failed'].includes(status));
}

test('Data that does not fit a schema is a validation error at the task, in the order of the data flow', async () => {
  const ended = await run({ number: 4 });
  expect(ended).toMatchObject({
    status: 'completed',
    output: {
      n: 1,
      raw: {
        detail: 'Its input does not fit its schema: (all of it) must have required properties m',
        instance: '/do/0/raw-caught/try/0/raw',
      },
      out: { instance: '/do/1/out-caught/try/0/out' },
      exported: {
        detail: 'Its exported context does not fit its schema: (all of it) must be string',
        instance: '/do/2/exported-caught/try/0/exported',
      },
    },
  });
  expect(ended.output.out.detail).toMatch(
    /^Its output does not fit its schema: \/a must be string; \/b\/1 must be boolean; \/b\/1 must be null;/,
  );
});

test('What comes into and out of the whole run is checked too, and a check that takes too long is ended', async () => {
  const [wrongInput, wrongOutput, tooSlow] = await Promise.all([
    run({ number: 'four' }),
    run({ number: 4 }, { do: [] }),
    run({ number: 4 }, { do: [{ slow }] }),
  ]);
  expect(wrongInput).toMatchObject({
    status: 'failed',
    steps: [],
    error: {
      type,
      status: 400,
      instance: '/',
      detail: 'Its input does not fit its schema: /number must be integer',
    },
  });
  expect(wrongOutput.error).toMatchObject({
    type,
    detail: expect.stringContaining('Its output does not fit'),
  });
  expect(tooSlow.error).toMatchObject({
    type: type.replace('validation', 'configuration'),
    instance: '/do/0/slow',
    detail: expect.stringContaining('took more than 1000 ms'),
  });
});
