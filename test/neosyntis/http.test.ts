// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/client.ts';
import { type Served, serveHttp } from '../support/http-server.ts';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
let served: Served;

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser();
  served = await serveHttp();
});
afterAll(async () => {
  await served.close();
  await world.close();
});

const call = (given: object, task: object = {}) => ({ ask: { call: 'http', with: given, ...task } });
const get = (path: string, more: object = {}) =>
  call({ method: 'get', endpoint: `${served.origin}${path}`, ...more });
const trigger = async (steps: unknown[]): Promise<{ run_id: string; job_id: string }> => {
  const id = await world.newWorkflow(user, steps);
  const { body } = await world.api('POST', `/api/neosyntis/workflows/${id}/trigger`, { token: user.token });
  return body;
};

describe('call: http', () => {
  test('sends what its arguments say, and puts out the parsed content', async () => {
    served.on('/echo/42', ({ method, headers, url, body }, response) => {
      response.setHeader('content-type', 'application/vnd.api+json');
      response.end(
        JSON.stringify({ method, url, body, type: headers['content-type'], word: headers['x-word'] }),
      );
    });
    const run = await world.run(
      user,
      [
        call({
          method: 'Put',
          endpoint: `${served.origin}/echo/{id}?a={word}{missing}`,
          headers: { 'X-Word': '${ .word }' },
          query: { list: [1, 'två'], none: null, flag: true },
          body: { n: '${ .id + 1 }' },
        }),
      ],
      { id: 42, word: 'a/b c' },
    );
    expect(run).toMatchObject({
      status: 'completed',
      output: {
        method: 'PUT',
        url: '/echo/42?a=a%2Fb%20c&list=1&list=tv%C3%A5&flag=true',
        body: '{"n":43}',
        type: 'application/json',
        word: 'a/b c',
      },
    });
  });

  test.each([
    ['text', 'plain words', {}, 'text/plain; charset=utf-8', 'plain words'],
    ['text with a type of its own', '<a/>', { 'Content-Type': 'application/xml' }, 'application/xml', '<a/>'],
    ['a list', [1, null], {}, 'application/json', '[1,null]'],
    [
      'a form',
      { a: 'b c', d: [1, 2] },
      { 'content-type': 'application/x-www-form-urlencoded' },
      'application/x-www-form-urlencoded',
      'a=b+c&d=1&d=2',
    ],
    ['nothing', null, {}, undefined, ''],
  ])('sends %s as its body', async (_what, body, headers, type, sent) => {
    served.on('/body', ({ headers: seen, body: got }, response) =>
      response.end(JSON.stringify([seen['content-type'] ?? null, got])),
    );
    const run = await world.run(user, [
      call(
        { method: 'POST', endpoint: `${served.origin}/body`, headers, body },
        { output: { as: 'fromjson' } },
      ),
    ]);
    expect(run.output).toEqual([type ?? null, sent]);
  });

  test.each([
    ['JSON as its value', 'application/json', '{"a":[1]}', 'content', { a: [1] }],
    ['text as text', 'text/plain; charset=iso-8859-1', Buffer.from([0x74, 0xe5]), 'content', 'tå'],
    ['other media as Base64', 'image/png', Buffer.from([0x89, 0x50, 0]), 'content', 'iVAA'],
    ['text of no media type as text', '', 'hello', 'content', 'hello'],
    ['no content as null', 'application/json', '', 'content', null],
    ['anything as Base64 with `raw`', 'application/json', '{}', 'raw', 'e30='],
  ])('puts out %s', async (_what, type, content, output, value) => {
    served.on('/content', (_request, response) => {
      if (type !== '') response.setHeader('content-type', type);
      response.end(content);
    });
    const run = await world.run(user, [get('/content', { output })]);
    expect(run).toMatchObject({ status: 'completed', output: value });
  });

  test('puts out the whole response, without the values of headers that may hold secrets', async () => {
    served.on('/whole', (_request, response) => {
      response.writeHead(201, { 'content-type': 'application/json', 'x-more': 'yes' }).end('{"id":1}');
    });
    const endpoint = { uri: `${served.origin}/whole`, authentication: { bearer: { token: 'very-secret' } } };
    const run = await world.run(user, [
      call({
        method: 'post',
        endpoint,
        headers: { 'x-api-key': 'also-secret', accept: 'application/json' },
        output: 'response',
      }),
    ]);
    expect(run.output).toMatchObject({
      request: {
        method: 'POST',
        uri: `${served.origin}/whole`,
        headers: { authorization: '***', 'x-api-key': '***', accept: 'application/json' },
      },
      statusCode: 201,
      headers: { 'content-type': 'application/json', 'x-more': 'yes' },
      content: { id: 1 },
    });
  });

  test('authenticates with basic and bearer, whose values may be expressions', async () => {
    served.on('/who', ({ headers }, response) => response.end(headers.authorization));
    const ask = (authentication: object) =>
      world.run(user, [call({ method: 'GET', endpoint: { uri: `${served.origin}/who`, authentication } })], {
        p: 'pä:ss',
        t: 'tok',
      });
    const basic = await ask({ basic: { username: 'me', password: '${ .p }' } });
    expect(basic.output).toBe(`Basic ${Buffer.from('me:pä:ss').toString('base64')}`);
    expect((await ask({ bearer: { token: '${ .t }' } })).output).toBe('Bearer tok');
  });

  test.each([
    [404, false, 404],
    [503, false, 503],
    [302, false, 302],
    [304, true, undefined],
    [404, true, 404],
  ])('answered %d with redirect: %j ends with the error %j', async (status, redirect, error) => {
    let asked = 0;
    served.on('/status', (_request, response) => {
      asked++;
      response.writeHead(status, { location: '/elsewhere' }).end();
    });
    const run = await world.run(user, [get('/status?token=hidden', { redirect })]);
    expect(asked).toBe(1);
    if (error === undefined) return expect(run.status).toBe('completed');
    expect(run).toMatchObject({
      status: 'failed',
      error: {
        type: expect.stringMatching(/communication$/),
        status: error,
        detail: expect.stringContaining(`GET ${served.origin} answered ${status}`),
        instance: '/do/0/ask',
      },
    });
    expect(JSON.stringify(run.error)).not.toContain('hidden');
  });

  test('follows redirects when told to', async () => {
    served.on('/from', (_request, response) => response.writeHead(302, { location: '/to' }).end());
    served.on('/to', (_request, response) => response.end('there'));
    expect(await world.run(user, [get('/from', { redirect: true })])).toMatchObject({ output: 'there' });
  });

  test.each([
    'http://127.0.0.2/',
    'http://[::1]:5432/',
    'http://169.254.169.254/latest/meta-data/',
    'http://10.0.0.1/',
    'http://0x7f000002/',
    'http://[::ffff:192.168.0.1]/',
  ])('is refused %s, an address that is not for users', async (endpoint) => {
    const run = await world.run(user, [call({ method: 'GET', endpoint })]);
    expect(run).toMatchObject({
      status: 'failed',
      error: {
        type: expect.stringMatching(/authorization$/),
        status: 403,
        detail: expect.stringContaining('VAREON_OUTBOUND_ALLOW'),
      },
    });
  });

  test('is refused a redirect to such an address, which the error does not name', async () => {
    served.on('/trap', (_request, response) =>
      response.writeHead(302, { location: 'http://127.0.0.77:5432/' }).end(),
    );
    const run = await world.run(user, [get('/trap', { redirect: true })]);
    expect(run.error).toMatchObject({ type: expect.stringMatching(/authorization$/) });
    expect(JSON.stringify(run.error)).not.toContain('127.0.0.77');
  });

  test('is repeated after a broken connection when its method allows it, and not when it does not', async () => {
    const seen: string[] = [];
    served.on('/broken', ({ method, socket }, response) => {
      seen.push(method ?? '');
      if (seen.length === 1 || method === 'POST') return socket.destroy();
      response.end('at last');
    });
    expect(await world.run(user, [get('/broken')])).toMatchObject({ status: 'completed', output: 'at last' });
    expect(seen).toEqual(['GET', 'GET']);
    const run = await world.run(user, [
      {
        ask: {
          call: 'http',
          with: { method: 'POST', endpoint: `${served.origin}/broken`, body: {} },
          metadata: { onUnknown: 'fail' },
        },
      },
    ]);
    expect(seen).toEqual(['GET', 'GET', 'POST']);
    expect(run).toMatchObject({
      status: 'failed',
      error: {
        type: expect.stringMatching(/communication$/),
        detail: expect.stringContaining('effect is unknown'),
      },
      steps: [{ status: 'unknown' }],
    });
  });

  test('that takes longer than its time limit fails with `timeout`, and its connection ends', async () => {
    // A busy machine may have asked nothing within the limit: whatever was opened is to be closed.
    const open = new Set<unknown>();
    served.on('/slow', ({ socket }) => {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
    });
    const step = { ...get('/slow').ask, timeout: { after: { seconds: 2 } } };
    const run = await world.run(user, [{ ask: step }]);
    expect(run.error).toMatchObject({ type: expect.stringMatching(/timeout$/), status: 408 });
    await until(
      async () => open.size,
      (count) => count === 0,
      60_000,
    );
  });

  test('is given up when its run is cancelled, long before its own time limit', async () => {
    const happened: string[] = [];
    served.on('/forever', ({ socket }) => {
      happened.push('asked');
      socket.on('close', () => happened.push('closed'));
    });
    const step = { ...get('/forever').ask, timeout: { after: { minutes: 10 } } };
    const { run_id, job_id } = await trigger([{ ask: step }]);
    const untilHappened = (wanted: string[]) =>
      until(
        async () => [...happened],
        (seen) => seen.length >= wanted.length,
        60_000,
      ).then((seen) => expect(seen).toEqual(wanted));
    await untilHappened(['asked']);
    await world.api('POST', `/api/myntrix/jobs/${job_id}/cancel`, { token: user.token });
    const run = await world.untilRun(user, run_id, ({ status }) => status === 'cancelled');
    expect(run.steps[0].status).toBe('cancelled');
    await untilHappened(['asked', 'closed']);
  });

  test('with a content that is too large, or no JSON though it says so, fails and says why', async () => {
    served.on('/large', (_request, response) => response.end('"'.repeat(5 * 1024 * 1024)));
    served.on('/huge', (_request, response) => response.end('x'.repeat(9 * 1024 * 1024)));
    served.on('/wrong', (_request, response) =>
      response.setHeader('content-type', 'application/json').end('{"secret":'),
    );
    const details = [];
    for (const path of ['/large', '/huge', '/wrong'])
      details.push((await world.run(user, [get(path)])).error);
    expect(details).toMatchObject([
      {
        type: expect.stringMatching(/communication$/),
        detail: expect.stringContaining('8388608 is the limit'),
      },
      {
        type: expect.stringMatching(/communication$/),
        detail: expect.stringContaining('larger than 8388608 bytes'),
      },
      {
        type: expect.stringMatching(/communication$/),
        detail: expect.stringMatching(/says it is JSON and is not/),
      },
    ]);
  });

  test.each([
    [
      'an object in its URI',
      { method: 'GET', endpoint: 'http://127.0.0.1/{o}' },
      'expression',
      /\{o\} is an object/,
    ],
    ['a URI that is none', { method: 'GET', endpoint: '${ .o.text }' }, 'validation', /not an absolute URL/],
    [
      'credentials in its URI',
      { method: 'GET', endpoint: '${ .url }' },
      'validation',
      /user name or password/,
    ],
    [
      'no method',
      { method: '${ .text }', endpoint: 'http://127.0.0.1/' },
      'validation',
      /must be one of GET/,
    ],
    [
      'a line end in a header',
      { method: 'GET', endpoint: 'http://127.0.0.1/', headers: { a: '${ .line }' } },
      'validation',
      /line ends/,
    ],
    [
      'a list as its header',
      { method: 'GET', endpoint: 'http://127.0.0.1/', headers: '${ [.text] }' },
      'validation',
      /headers/,
    ],
  ])('that was given %s fails before anything is sent', async (_what, given, type, detail) => {
    const run = await world.run(user, [call(given)], {
      o: { text: 'nowhere' },
      text: 'FETCH',
      line: 'a\r\nb: c',
      url: 'http://user:hidden@127.0.0.1/',
    });
    expect(run.error).toMatchObject({
      type: expect.stringMatching(new RegExp(`${type}$`)),
      status: 400,
      detail: expect.stringMatching(detail),
    });
    expect(JSON.stringify(run.error)).not.toContain('hidden');
  });

  test('keeps nobody else waiting: fifty slow requests hold up neither runs nor what is seen of them', async () => {
    let asked = 0;
    served.on('/crowd', () => {
      asked++;
    });
    const branches = Array.from({ length: 50 }, (_, n) => ({ [`b${n}`]: get('/crowd').ask }));
    const { job_id } = await trigger([{ crowd: { fork: { branches } } }]);
    await until(
      async () => asked,
      (count) => count >= 40,
      60_000,
    );
    const run = await world.run(user, [
      { quick: { set: { a: 1 } } },
      { mail: { call: 'notify.email', with: { to: 'a@example.org', subject: 's', text: 't' } } },
    ]);
    expect(run.status).toBe('completed');
    await world.api('POST', `/api/myntrix/jobs/${job_id}/cancel`, { token: user.token });
  });
});
