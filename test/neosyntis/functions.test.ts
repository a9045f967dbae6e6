// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { importDocument, runDocument } from '../support/documents.ts';
import { type Served, serveHttp } from '../support/http-server.ts';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
let served: Served;

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator', { runsCode: true });
  served = await serveHttp();
});
afterAll(async () => {
  await served.close();
  await world.close();
});

const functions = {
  double: { input: { from: '.n' }, set: { twice: '${ . * 2 }' }, output: { as: '.twice' } },
  quadruple: {
    if: '.n > 0',
    do: [
      { first: { call: 'double', with: { n: '${ .n }' } } },
      { second: { call: 'double', with: { n: '${ . }' } } },
    ],
    export: { as: '{ last: . }' },
  },
  slow: { wait: 'PT1H', timeout: 'short' },
  stop: { do: [{ over: { set: { over: true }, then: 'end' } }] },
};
const use = { functions, timeouts: { short: { after: { milliseconds: 100 } } } };

describe('use.functions', () => {
  test('are called with arguments that the caller evaluates, and recorded below the step that calls', async () => {
    const run = await runDocument(world, user, {
      use,
      list: [
        {
          each: {
            for: { in: '[1, 2]' },
            do: [{ four: { call: 'quadruple', with: { n: '${ $item }' }, output: { as: '[$input, .]' } } }],
          },
        },
        { none: { call: 'quadruple', with: { n: 0 } } },
        {
          both: {
            fork: {
              branches: [
                { a: { call: 'double', with: { n: 5 } } },
                { b: { call: 'double', with: { n: 6 } } },
              ],
            },
          },
        },
        { late: { try: [{ wait: { call: 'slow' } }], catch: { errors: { with: { status: 408 } } } } },
        { keep: { set: { both: '${ . }', last: '${ $context.last }' } } },
        { ends: { call: 'stop', output: { as: '{ kept: $task.input.both, last: $task.input.last }' } } },
        { never: { set: { never: true } } },
      ],
    });
    expect([run.status, run.error, run.output]).toEqual(['completed', null, { kept: [10, 12], last: 8 }]);
    const paths = run.steps.map(({ path, iteration }: { path: string; iteration: number[] }) =>
      [path, ...iteration].join(' '),
    );
    const inner = '/do/0/each/do/0/four/function/quadruple';
    expect(paths).toEqual(
      expect.arrayContaining([
        `${inner} 0`,
        `${inner}/do/0/first/function/double 0`,
        `${inner}/do/1/second/function/double 1`,
        '/do/1/none/function/quadruple',
        '/do/2/both/fork/branches/1/b/function/double',
      ]),
    );
    expect(new Set(paths).size).toBe(paths.length);
  });

  test('run code with secrets for those who may, and fail at the step that is in them', async () => {
    const name = `s_${randomBytes(5).toString('hex')}`;
    await world.api('POST', '/api/neosyntis/secrets', {
      token: user.token,
      body: { name, value: 'very hidden' },
    });
    const shell = {
      run: {
        shell: {
          command: 'test "$KEY" = "very hidden" && echo "$KEY"; exit "$1"',
          arguments: ['${ .exit }'],
          environment: { KEY: `\${ $secrets.${name} }` },
        },
      },
    };
    const coded = { functions: { shell }, secrets: [name] };
    const list = [
      { well: { call: 'shell', with: { exit: '0' } } },
      { not: { call: 'shell', with: { exit: '3' } } },
    ];
    const run = await runDocument(world, user, { use: coded, list });
    expect([run.steps[0].output, run.error.instance]).toEqual(['***\n', '/do/1/not/function/shell']);
    const plain = await world.newUser();
    expect((await importDocument(world, plain, coded, list)).status).toBe(403);
    const warned = await importDocument(
      world,
      plain,
      {
        functions: {
          ask: {
            call: 'http',
            with: {
              method: 'GET',
              endpoint: { uri: 'https://example.org', authentication: { bearer: { use: name } } },
            },
          },
        },
      },
      [{ a: { call: 'ask' } }],
    );
    expect([warned.status, warned.body.warnings]).toEqual([
      201,
      [
        {
          path: '/use/functions/ask/with/endpoint/authentication/bearer/use',
          message: expect.stringContaining(name),
        },
      ],
    ]);
  });
});

describe('run.script.source', () => {
  test('is fetched by the platform when the step runs, with an authentication of its own', async () => {
    const name = `s_${randomBytes(5).toString('hex')}`;
    await world.api('POST', '/api/neosyntis/secrets', {
      token: user.token,
      body: { name, value: 'door key' },
    });
    served.on('/say.js', ({ headers }, response) =>
      headers.authorization === 'Bearer door key'
        ? response.end('console.log("said", process.argv[2])')
        : response.writeHead(401).end(),
    );
    const script = (token: object) => ({
      run: {
        script: {
          language: 'js',
          arguments: ['${ . }'],
          source: { endpoint: { uri: `${served.origin}/say.js`, authentication: { bearer: token } } },
        },
      },
    });
    const run = await runDocument(world, user, {
      list: [{ say: script({ use: name }) }, { not: script({ token: 'wrong' }) }],
      input: 'hello',
    });
    expect([run.steps[0].output, run.error.instance, run.error.status]).toEqual([
      'said hello\n',
      '/do/1/not',
      401,
    ]);
  });
});
