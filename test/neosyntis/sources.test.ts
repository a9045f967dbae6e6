// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isEnded } from '../../domain/neosyntis/runs.ts';
import { rawUri } from '../../domain/neosyntis/sources.ts';
import { importDocument } from '../support/documents.ts';
import { type Served, serveHttp } from '../support/http-server.ts';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

const base = '/api/neosyntis/workflows';
const secret = `s_${randomBytes(5).toString('hex')}`;
let world: World;
let user: TestUser;
let catalog: Served;
let texts: Record<string, string>;

const schema = '{"type": "object", "required": ["who"]}';
const greet = (word: string) => `
# A function of the catalog, which calls another one of it.
input:
  schema: { resource: { endpoint: '${catalog.origin}/greeting.json' } }
do:
  - shout: { call: 'shout:1.0.0@shared', with: { text: '\${ .who }' } }
  - say: { set: { said: '\${ "${word} " + .text }' } }
output: { as: .said }
`;

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator');
  catalog = await serveHttp();
  texts = {
    '/greeting.json': schema,
    '/main/functions/greet/1.0.0/function.yaml': greet('Hello'),
    '/main/functions/shout/1.0.0/function.yaml': 'set: { text: "${ .text | ascii_upcase }" }',
    '/code.yaml': 'run: { shell: { command: ls } }',
    '/steals.yaml': `call: http\nwith: { method: POST, endpoint: 'https://example.org', body: '\${ $secrets.${secret} }' }`,
    '/borrows.yaml': 'timeout: short\nset: { a: 1 }',
    '/wrong.yaml': 'set: { a: "${ .a | }" }',
    '/loop.yaml': `do: [{ again: { call: '${catalog.origin}/loop.yaml' } }]`,
    '/no.yaml': 'a: [',
    '/large.yaml': `set: { a: ${'x'.repeat(200_000)} }`,
    '/broken-schema.json': '{"type": "strange"}',
  };
  for (const path of Object.keys(texts))
    catalog.on(path, ({ headers }, response) => {
      const isIn = !path.startsWith('/main/') || headers.authorization === 'Bearer the-catalogs-key';
      if (isIn) response.end(texts[path]);
      else response.writeHead(401).end();
    });
  await world.api('POST', '/api/neosyntis/secrets', {
    token: user.token,
    body: { name: secret, value: 'the-catalogs-key' },
  });
});
afterAll(async () => {
  await catalog.close();
  await world.close();
});

const use = () => ({
  catalogs: {
    shared: {
      endpoint: { uri: `${catalog.origin}/main/`, authentication: { use: 'catalog' } },
    },
  },
  authentications: { catalog: { bearer: { use: secret } } },
  timeouts: { short: { after: 'PT1S' } },
});
const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
async function runOf(id: string, input: unknown) {
  const started = world.api('POST', `${base}/${id}/trigger?wait=30`, { token: user.token, body: { input } });
  const { run_id } = (await started).body;
  return world.untilRun(user, run_id, ({ status }) => isEnded(status));
}

describe('What a definition names elsewhere', () => {
  test('is read at the save, as the owner, and no run of that version runs anything else', async () => {
    const list = [{ greeting: { call: 'greet:1.0.0@shared', with: { who: '${ .name }' } } }];
    const saved = await importDocument(world, user, use(), list);
    expect([saved.status, saved.text.includes('the-catalogs-key')]).toEqual([201, false]);
    const { id } = saved.body;
    const at = (path: string) => world.api('GET', `${base}/${id}${path}`, { token: user.token });

    const before = await at('/versions/1');
    expect(before.body.sources).toHaveLength(3);
    expect(before.body.sources).toEqual(
      expect.arrayContaining([
        { uri: `${catalog.origin}/greeting.json`, digest: sha256(schema) },
        {
          uri: `${catalog.origin}/main/functions/greet/1.0.0/function.yaml`,
          digest: sha256(greet('Hello')),
        },
      ]),
    );
    expect(Object.keys(before.body.document)).not.toContain('sources');
    expect((await at('/definition')).body).toEqual(before.body.document);

    texts['/main/functions/greet/1.0.0/function.yaml'] = greet('Good bye');
    expect(await runOf(id, { name: 'ada' })).toMatchObject({ output: 'Hello ADA' });

    const again = await world.api('PUT', `${base}/${id}`, {
      token: user.token,
      body: { steps: [...list, { shape: { set: { said: '${ . }' } } }] },
    });
    expect(again.status).toBe(200);
    expect(await runOf(id, { name: 'ada' })).toMatchObject({ output: { said: 'Good bye ADA' } });
    const changes = (await at('/diff?from=1')).body.map(({ path }: { path: string }) => path);
    expect(changes).toContain(
      `/sources/${`${catalog.origin}/main/functions/greet/1.0.0/function.yaml`.replaceAll('/', '~1')}`,
    );

    // Neither a schedule nor an earlier version's return reads anything again.
    texts['/main/functions/greet/1.0.0/function.yaml'] = 'gone: true';
    const restored = await world.api('POST', `${base}/${id}/versions/1/restore`, { token: user.token });
    expect(restored.status).toBe(200);
    expect(await runOf(id, { name: 'ada' })).toMatchObject({ output: 'Hello ADA' });
    const run = await runOf(id, { name: 'ada' });
    const steps = await world.api('GET', `/api/neosyntis/runs/${run.id}`, { token: user.token });
    expect(steps.body.steps.map(({ path }: { path: string }) => path)).toContain(
      '/do/0/greeting/function/greet:1.0.0@shared/do/0/shout/function/shout:1.0.0@shared',
    );
  });

  test('is checked where it is named, and what cannot be read is said there', async () => {
    const url = (path: string) => `${catalog.origin}${path}`;
    const calls = {
      gone: url('/gone.yaml'),
      no: url('/no.yaml'),
      large: url('/large.yaml'),
      inside: 'http://169.254.169.254/latest/function.yaml',
    };
    const unread = await importDocument(world, user, use(), [
      ...Object.entries(calls).map(([name, call]) => ({ [name]: { call } })),
      { schema: { set: { a: 1 }, output: { schema: { resource: { endpoint: url('/gone.json') } } } } },
    ]);
    expect(unread.status).toBe(422);
    expect(
      unread.body.errors.map(({ path, message }: { path: string; message: string }) => `${path} ${message}`),
    ).toEqual([
      expect.stringMatching(/^\/do\/0\/gone\/call .*\/gone.yaml: the server answered 404$/),
      expect.stringMatching(/^\/do\/1\/no\/call .*\/no.yaml: it is not YAML.*line 1/),
      expect.stringMatching(/^\/do\/2\/large\/call .*: it has \d+ characters; 131072 is the limit$/),
      expect.stringMatching(/^\/do\/3\/inside\/call .*not one that calls may reach/),
      expect.stringMatching(/^\/do\/4\/schema\/output\/schema\/resource .*\/gone.json: .*404/),
    ]);

    const wrong = await importDocument(world, user, use(), [
      { steals: { call: url('/steals.yaml') } },
      { borrows: { call: url('/borrows.yaml') } },
      { wrong: { call: url('/wrong.yaml') } },
      { loop: { call: url('/loop.yaml') } },
      {
        schema: { set: { a: 1 }, input: { schema: { resource: { endpoint: url('/broken-schema.json') } } } },
      },
    ]);
    expect(wrong.status).toBe(422);
    const said = wrong.body.errors.map(
      ({ path, message }: { path: string; message: string }) => `${path} ${message}`,
    );
    expect(said).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^\/do\/0\/steals\/call .*\(at \/with\/body\): uses the secret/),
        expect.stringMatching(/^\/do\/1\/borrows\/call .*\(at \/timeout\): there is no `use.timeouts.short`/),
        expect.stringMatching(/^\/do\/2\/wrong\/call .*\(at \/set\/a\): .*syntax error/),
        expect.stringMatching(/^\/do\/3\/loop\/call .*calls itself without an end/),
        expect.stringMatching(/^\/do\/4\/schema\/input\/schema\/resource .*\(at \/type\)/),
      ]),
    );
    expect(said).toHaveLength(5);
    expect((await importDocument(world, user, {}, [{ code: { call: url('/code.yaml') } }])).status).toBe(403);
  });

  test('is read by no one who may only look at workflows', async () => {
    const steps = [{ greet: { call: `${catalog.origin}/borrows.yaml` } }];
    const validate = (token: string) => world.api('POST', `${base}/validate`, { token, body: { steps } });
    const viewer = await world.newUser('viewer');
    expect((await validate(viewer.token)).body.errors).toEqual([
      { path: '/steps/0/greet/call', message: expect.stringContaining('neosyntis:workflows:write') },
    ]);
    expect((await validate(user.token)).body.errors).toEqual([
      { path: '/steps/0/greet/call', message: expect.stringContaining('no `use.timeouts.short`') },
    ]);
  });
});

test.each([
  ['https://github.com/a/b/functions/f.yaml', 'https://raw.githubusercontent.com/a/b/HEAD/functions/f.yaml'],
  ['https://github.com/a/b/tree/main/x/f.yaml', 'https://raw.githubusercontent.com/a/b/main/x/f.yaml'],
  ['https://github.com/a/b/blob/v1/f.yaml', 'https://raw.githubusercontent.com/a/b/v1/f.yaml'],
  ['https://gitlab.com/a/b/-/blob/main/f.yaml', 'https://gitlab.com/a/b/-/raw/main/f.yaml'],
  ['https://gitlab.com/a/b/functions/f.yaml', 'https://gitlab.com/a/b/-/raw/HEAD/functions/f.yaml'],
  ['https://example.org/a/b/c', 'https://example.org/a/b/c'],
])('The page %s is read as %s', (page, raw) => {
  expect(rawUri(page)).toBe(raw);
});
