import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createOutboundClient, type OutboundOptions } from '../../drivers/outbound/client.ts';
import { OutboundError, type OutboundRequest } from '../../drivers/outbound/port.ts';
import { createSlots } from '../../drivers/outbound/slots.ts';
import { until } from '../support/client.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;
const servers: Server[] = [];

async function serve(handler: Handler): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => handler(request, response, Buffer.concat(chunks).toString()));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on TCP
}

/** Says what it was asked. */
const echo: Handler = ({ method, url, headers }, response, body) =>
  void response.end(JSON.stringify({ method, url, headers, body }));

afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

const client = (options: Partial<OutboundOptions> = {}) =>
  createOutboundClient({ allow: ['127.0.0.1/32'], userAgent: 'Test/1', ...options });

const send = (url: string, request: Partial<OutboundRequest> = {}, options: Partial<OutboundOptions> = {}) =>
  client(options).request({
    method: 'GET',
    url,
    headers: {},
    followRedirects: true,
    timeoutMs: 60_000,
    ...request,
  });

const refusal = async (...given: Parameters<typeof send>): Promise<OutboundError> => {
  const error = await send(...given).then(
    ({ status }) => new Error(`answered ${status}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof OutboundError)) throw error;
  return error;
};

const text = (body: Uint8Array) => Buffer.from(body).toString();

describe('A request', () => {
  let origin: string;
  beforeAll(async () => {
    origin = await serve(echo);
  });

  test('carries method, headers and body, says who sends it, and keeps no connection', async () => {
    const { body } = await send(`${origin}/a?b=1`, {
      method: 'POST',
      headers: { 'x-a': 'b' },
      body: '{"é":1}',
    });
    expect(JSON.parse(text(body))).toMatchObject({
      method: 'POST',
      url: '/a?b=1',
      headers: { 'x-a': 'b', 'user-agent': 'Test/1', 'content-length': '8', connection: 'close' },
      body: '{"é":1}',
    });
  });

  test('does not go to a proxy that the environment names', async () => {
    const names = ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'NODE_USE_ENV_PROXY'];
    for (const name of names) process.env[name] = 'http://127.0.0.2:1';
    try {
      expect((await send(origin)).status).toBe(200);
    } finally {
      for (const name of names) delete process.env[name];
    }
  });

  test.each([
    ['Host', 'internal'],
    ['connection', 'upgrade'],
    ['Transfer-Encoding', 'chunked'],
    ['content-length', '3'],
    ['Proxy-Authorization', 'Basic x'],
    ['upgrade', 'h2c'],
    ['x-a', 'b\r\nx-injected: c'],
    ['x-a', 'b\nc'],
    ['x-a', 'b\0c'],
    ['x-a', '‥'],
    ['x a', 'b'],
    ['x-a\r\nx-b', 'c'],
    ['x:a', 'b'],
    ['', 'b'],
  ])('with the header %j: %j is not sent', async (name, value) => {
    expect(await refusal(origin, { headers: { [name]: value } })).toMatchObject({
      kind: 'invalid',
      sent: false,
    });
  });

  test.each(['CONNECT', 'TRACE', 'get', 'GET / HTTP/1.1\r\nx: y', ''])(
    'with the method %j is not sent',
    async (method) => {
      expect(await refusal(origin, { method })).toMatchObject({ kind: 'invalid', sent: false });
    },
  );

  test('of more than 8 MiB is not sent', async () => {
    expect(await refusal(origin, { method: 'POST', body: 'x'.repeat(8 * 1024 * 1024 + 1) })).toMatchObject({
      kind: 'invalid',
    });
  });
});

describe('An answer', () => {
  test.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['GZIP', gzipSync],
  ])('in %s is decoded', async (encoding, compress) => {
    const origin = await serve((_request, response) => {
      response.writeHead(200, { 'content-encoding': encoding }).end(compress('hello'));
    });
    expect(text((await send(origin)).body)).toBe('hello');
  });

  test('without content may name an encoding', async () => {
    const origin = await serve((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end();
    });
    expect((await send(origin)).body).toHaveLength(0);
  });

  test.each([
    ['gzip, gzip', gzipSync(gzipSync('hello')), 'protocol'],
    ['zstd', Buffer.from('x'), 'protocol'],
    ['gzip', Buffer.from('not gzip'), 'protocol'],
    ['gzip', gzipSync(Buffer.alloc(64 * 1024 * 1024)), 'too_large'],
    ['br', brotliCompressSync(Buffer.alloc(64 * 1024 * 1024)), 'too_large'],
  ])('in %s that cannot or must not be decoded is refused: %#', async (encoding, content, kind) => {
    const origin = await serve((_request, response) => {
      response.writeHead(200, { 'content-encoding': encoding }).end(content);
    });
    expect(await refusal(origin)).toMatchObject({ kind, sent: true });
  });

  test('without an end is read up to the limit and no further', async () => {
    let written = 0;
    const origin = await serve((request, response) => {
      const piece = Buffer.alloc(64 * 1024);
      const write = () => {
        while (!request.socket.destroyed && response.write(piece)) written += piece.length;
        response.once('drain', write);
      };
      write();
    });
    const error = await refusal(origin);
    expect(error).toMatchObject({ kind: 'too_large', message: expect.stringContaining('8388608') });
    expect(written).toBeLessThan(64 * 1024 * 1024);
  });

  test.each([
    ['has headers over 32 KiB', 'HTTP/1.1 200 OK\r\nx: '.concat('a'.repeat(40_000), '\r\n\r\n'), 'too_large'],
    ['is not HTTP', 'SSH-2.0-OpenSSH_9.6\r\n', 'protocol'],
    ['never comes', undefined, 'connection'],
    ['ends too early', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', 'connection'],
  ])('that %s is an error that says so', async (_what, bytes, kind) => {
    const origin = await serve(({ socket }) => {
      if (bytes === undefined) socket.destroy();
      else socket.end(bytes);
    });
    expect(await refusal(origin)).toMatchObject({ kind, sent: true });
  });

  test.each([
    ['no answer', ''],
    ['half an answer', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'],
  ])('that is %s is given up when the time is over', async (_what, bytes) => {
    const origin = await serve(({ socket }) => void socket.write(bytes));
    let timeoutMs = 100;
    const tryLonger = () => {
      timeoutMs *= 2;
      return refusal(origin, { timeoutMs });
    };
    // On a busy machine the time may be over before it was sent: then it is given more.
    const error = await until(tryLonger, ({ sent }) => sent, 60_000);
    expect(error).toMatchObject({ kind: 'timeout', sent: true });
  });
});

describe('A connection', () => {
  test('that is refused says so, without the address', async () => {
    const origin = await serve(echo);
    const closed = servers.pop();
    await new Promise((resolve) => closed?.close(resolve));
    const error = await refusal(origin);
    expect(error).toMatchObject({ kind: 'connection', sent: false });
    expect(error.message).not.toMatch(/127|:\d/);
  });

  test('that waits for a name for ever is given up after the time for connections', async () => {
    const never = () => new Promise<string[]>(() => {});
    const error = await refusal('http://silent.example/', {}, { resolve: never, connectTimeoutMs: 100 });
    expect(error).toMatchObject({ kind: 'timeout', sent: false });
  });

  test('is ended when the request is given up, with the reason that was given', async () => {
    const ended: string[] = [];
    const abort = new AbortController();
    const reason = new Error('not wanted any more');
    const origin = await serve(({ socket, url }) => {
      socket.on('close', () => ended.push(url ?? ''));
      abort.abort(reason);
    });
    await expect(send(`${origin}/waiting`, { signal: abort.signal })).rejects.toBe(reason);
    await until(
      async () => ended,
      (seen) => seen.includes('/waiting'),
      60_000,
    );
  });
});

describe('A redirect', () => {
  let other: string;
  let origin: string;
  beforeAll(async () => {
    other = await serve(echo);
    origin = await serve((request, response, body) => {
      const [, status = '', to = ''] = (request.url ?? '').split('/');
      if (status === 'echo') return echo(request, response, body);
      const location = { other: `${other}/there`, same: '/echo', loop: request.url ?? '' }[to];
      response.writeHead(Number(status), location ? { location } : {}).end('a page');
    });
  });

  const headers = {
    Authorization: 'Bearer t',
    cookie: 'a=b',
    'X-Api-Key': 'k',
    accept: 'text/plain',
    'content-type': 'text/csv',
  };

  test.each([
    ['POST', 301, 'GET', ''],
    ['POST', 302, 'GET', ''],
    ['POST', 303, 'GET', ''],
    ['PUT', 303, 'GET', ''],
    ['HEAD', 303, 'HEAD', undefined],
    ['PUT', 301, 'PUT', 'data'],
    ['POST', 307, 'POST', 'data'],
    ['PATCH', 308, 'PATCH', 'data'],
  ])('of a %s with %d becomes a %s', async (method, status, becomes, sent) => {
    const body = method === 'HEAD' ? {} : { body: 'data' };
    const answer = await send(`${origin}/${status}/same`, { method, headers, ...body });
    expect(answer.request.method).toBe(becomes);
    if (sent === undefined) return;
    const seen = JSON.parse(text(answer.body));
    expect(seen).toMatchObject({
      method: becomes,
      body: sent,
      headers: { authorization: 'Bearer t', cookie: 'a=b' },
    });
    expect(seen.headers['content-type']).toBe(sent === '' ? undefined : 'text/csv');
  });

  test('to another origin takes no credentials along', async () => {
    const answer = await send(`${origin}/307/other`, { method: 'POST', headers, body: 'data' });
    const seen = JSON.parse(text(answer.body));
    expect(seen).toMatchObject({ url: '/there', body: 'data', headers: { accept: 'text/plain' } });
    for (const name of ['authorization', 'cookie', 'x-api-key'])
      expect(seen.headers).not.toHaveProperty(name);
    expect(answer.request.url).toBe(`${other}/there`);
  });

  test.each([
    ['that leads nowhere', '/302', true],
    ['300, which gives a choice,', '/300/same', true],
    ['304', '/304/same', true],
    ['that is not to be followed', '/302/same', false],
  ])('%s is an answer', async (_what, path, followRedirects) => {
    const answer = await send(`${origin}${path}`, { followRedirects });
    expect(answer.status).toBe(Number(path.slice(1, 4)));
  });

  test('that never ends is given up after ten', async () => {
    expect(await refusal(`${origin}/302/loop`)).toMatchObject({
      kind: 'protocol',
      message: expect.stringContaining('more than 10 times'),
    });
  });
});

test('Slots let as many through as there are, in their order, and forget who gave up', async () => {
  const slots = createSlots(1);
  const { signal } = new AbortController();
  const first = await slots.take(signal);
  const abort = new AbortController();
  const second = slots.take(abort.signal);
  const order: string[] = [];
  const third = slots.take(signal).then((release) => {
    order.push('third');
    return release;
  });
  abort.abort(new Error('gave up'));
  await expect(second).rejects.toThrow('gave up');
  expect(order).toEqual([]);
  first();
  (await third)();
  (await slots.take(signal))();
  expect(order).toEqual(['third']);
});
