import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
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

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

interface Received {
  at: number;
  method: string;
  headers: Record<string, string>;
  body: string;
}

/** Takes webhooks at a path, answering with these statuses one after another, the last one from then on. */
function receiver(path: string, statuses: number[], headers: Record<string, string> = {}): Received[] {
  const received: Received[] = [];
  served.on(path, (request, response) => {
    const { method = '', body } = request;
    received.push({
      at: performance.now(),
      method,
      body,
      headers: request.headers as Record<string, string>,
    }); // one value each
    const status = statuses[Math.min(received.length, statuses.length) - 1] ?? 200;
    response.writeHead(status, status === 200 ? {} : headers).end();
  });
  return received;
}

const hook = (path: string, given: object = {}) => ({
  hook: {
    call: 'notify.webhook',
    with: { url: `${served.origin}${path}`, body: { event: 'done' }, ...given },
  },
});

describe('notify.webhook', () => {
  test('sends JSON, signed so that the receiver can verify it, and puts out the status', async () => {
    const received = receiver('/signed', [200]);
    const run = await world.run(user, [hook('/signed', { secret: SECRET, headers: { 'x-tenant': 'a' } })]);
    expect(run).toMatchObject({ status: 'completed', output: { status: 200 } });
    const [only] = received;
    if (!only) throw new Error('nothing was received');
    expect(only).toMatchObject({
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-tenant': 'a',
        'webhook-id': expect.stringMatching(/^msg_[0-9a-f-]{36}$/),
      },
    });
    expect(new Webhook(SECRET).verify(only.body, only.headers)).toEqual({ event: 'done' });
    const changed = only.body.replace('done', 'gone');
    expect(() => new Webhook(SECRET).verify(changed, only.headers)).toThrow('No matching signature');
  });

  test('has an id for each step and round, and no signature without a secret', async () => {
    const received = receiver('/rounds', [204]);
    const loop = { each: { for: { in: '[1, 2]' }, do: [hook('/rounds', { method: 'PUT', body: 'words' })] } };
    expect((await world.run(user, [loop, hook('/rounds')])).output).toEqual({ status: 204 });
    const ids = received.map(({ headers }) => headers['webhook-id']);
    expect(new Set(ids).size).toBe(3);
    expect(received[0]).toMatchObject({
      method: 'PUT',
      body: 'words',
      headers: { 'content-type': 'text/plain; charset=utf-8' },
    });
    expect(received[0]?.headers).not.toHaveProperty('webhook-signature');
  });

  test('is written as a string too', async () => {
    const received = receiver('/short', [200]);
    const run = await world.run(user, [`notify.webhook url=${served.origin}/short body={"n":1}`]);
    expect(run).toMatchObject({ status: 'completed', output: { status: 200 } });
    expect(received.map(({ body }) => body)).toEqual(['{"n":1}']);
  });

  test('is sent again under the same id until it is taken, and signed anew', async () => {
    const received = receiver('/later', [503, 429, 200]);
    const run = await world.run(user, [hook('/later', { secret: SECRET })]);
    expect(run).toMatchObject({ status: 'completed', output: { status: 200 } });
    expect(received).toHaveLength(3);
    expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    const stamps = received.map(({ headers }) => Number(headers['webhook-timestamp']));
    expect(stamps[2]).toBeGreaterThan(stamps[0] ?? 0);
    for (const { body, headers } of received) new Webhook(SECRET).verify(body, headers);

    const { body } = await world.api('GET', `/api/neosyntis/runs/${run.id}/step?path=/do/0/hook`, {
      token: user.token,
    });
    const failed = (attempt: number, status: number) => ({
      attempt,
      status: 'failed',
      error: { status, instance: '/do/0/hook', detail: expect.stringContaining(`answered ${status}`) },
    });
    expect(body).toMatchObject({
      status: 'completed',
      attempt: 3,
      error: null,
      attempts: [failed(1, 503), failed(2, 429), { attempt: 3, status: 'completed', error: null }],
    });
    for (const { started_at, ended_at } of body.attempts)
      expect(Date.parse(ended_at)).toBeGreaterThanOrEqual(Date.parse(started_at));
  });

  test('waits as long as the receiver asks', async () => {
    const received = receiver('/busy', [503, 200], { 'retry-after': '3' });
    expect((await world.run(user, [hook('/busy')])).status).toBe('completed');
    const [first, second] = received.map(({ at }) => at);
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThan(2_900);
  });

  test.each([
    [400, {}, 'answered 400'],
    [410, {}, 'answered 410'],
    [302, { location: '/signed' }, 'answered 302'],
    [503, { 'retry-after': '86400' }, 'asks for more than 300 s'],
  ])('that is answered %d %j is not sent again', async (status, headers, detail) => {
    const received = receiver('/no', [status], headers);
    const run = await world.run(user, [hook('/no')]);
    expect(run).toMatchObject({
      status: 'failed',
      error: {
        type: expect.stringMatching(/communication$/),
        status,
        detail: expect.stringContaining(detail),
      },
    });
    expect(received).toHaveLength(1);
  });

  test('does not go to an address that is not for users', async () => {
    const run = await world.run(user, [hook('', { url: 'http://169.254.169.254/latest' })]);
    expect(run.error).toMatchObject({ type: expect.stringMatching(/authorization$/), status: 403 });
  });

  test('with a secret that is none fails without showing it', async () => {
    const run = await world.run(user, [hook('/signed', { secret: '${ .s }' })], { s: 'hunter2-hunter2' });
    expect(run.error).toMatchObject({
      type: expect.stringMatching(/validation$/),
      detail: expect.stringContaining('/secret'),
    });
    expect(JSON.stringify(run.error)).not.toContain('hunter2');
  });
});
