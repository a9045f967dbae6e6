import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { enterWorld, type TestUser, type World } from '../support/world.ts';
import { openApiProblems } from '../system/openapi-problems.ts';

let world: World;
let user: TestUser;
const path = '/api/neosyntis/workflows';

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator');
});
afterAll(() => world.close());

const post = (body: unknown, headers: Record<string, string> = {}) =>
  world.api('POST', path, { token: user.token, body, headers });

/** Sends bytes as they are and gives the answer's status line. */
function raw(text: string): Promise<string> {
  const { hostname, port } = new URL(world.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.once('data', (data) => {
      resolve(String(data).split('\r\n')[0] ?? '');
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

describe('Every answer', () => {
  test('of an error is problem details with the request’s id', async () => {
    const { status, headers, body } = await world.api('GET', '/api/nothing-here', { token: user.token });
    expect(status).toBe(404);
    expect(headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(body).toMatchObject({ status: 404, code: 'not_found', request_id: headers['x-request-id'] });
  });

  test('forbids sniffing, framing and caching', async () => {
    const { headers } = await world.api('GET', '/health');
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
    });
  });

  test('opens to another origin only when it is listed', async () => {
    const { headers } = await world.api('GET', '/health', { headers: { Origin: 'https://evil.example' } });
    expect(headers['access-control-allow-origin']).toBeUndefined();
  });
});

describe('A request', () => {
  test('with another method says which there are', async () => {
    const { status, headers } = await world.api('PUT', path, { token: user.token, body: {} });
    expect(status).toBe(400);
    expect(headers.allow).toMatch(/POST/);
  });

  test('with a body over 1 MiB is refused', async () => {
    expect((await post({ name: 'x'.repeat(1_100_000), steps: [] })).status).toBe(413);
  });

  test('of another media type is refused', async () => {
    expect((await post({ name: 'x' }, { 'content-type': 'text/plain' })).status).toBe(415);
  });

  test('that is not JSON, or nested too deep, says so', async () => {
    const length = 2_000;
    const deep = `${'['.repeat(length)}${']'.repeat(length)}`;
    const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${user.token}\r\nContent-Type: application/json\r\n`;
    expect(await raw(`${head}Content-Length: 5\r\n\r\n{"a":`)).toMatch(/400/);
    expect(await raw(`${head}Content-Length: ${deep.length}\r\n\r\n${deep}`)).toMatch(/422/);
  });

  test('with an id that cannot be one finds nothing', async () => {
    expect((await world.api('GET', `${path}/not-an-id`, { token: user.token })).status).toBe(404);
    expect((await world.api('GET', `${path}/%00`, { token: user.token })).status).toBe(404);
  });

  test.each(['urn:uuid:01900000-0000-7000-8000-000000000000', '01900000-0000-7000-8000-00000000000g'])(
    'with the id %s finds nothing',
    async (id) => {
      expect((await world.api('GET', `${path}/${id}`, { token: user.token })).status).toBe(404);
      expect((await world.api('GET', `${path}?cursor=${id}`, { token: user.token })).status).toBe(422);
    },
  );

  test.each(['1e400', '-1e400', 'Infinity', 'NaN', '0', '201', '1.5'])(
    'with limit=%s is refused',
    async (limit) => {
      const { status } = await world.api('GET', `${path}?limit=${limit}`, { token: user.token });
      expect(status).toBe(422);
    },
  );

  test.each(['http://[/', '//', 'http://:99999999/', '*'])(
    'for the target %s is a bad request',
    async (target) => {
      expect(await raw(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).toMatch(/ 400 /);
      const upgrade =
        'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA==';
      expect(await raw(`GET ${target} HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n\r\n`)).toMatch(/ 400 /);
    },
  );

  test('with an unknown query parameter is refused, naming it', async () => {
    const { status, body } = await world.api('GET', `${path}?limit=2&colour=red`, { token: user.token });
    expect(status).toBe(422);
    expect(body.errors).toMatchObject([{ path: '/colour' }]);
  });

  test('with a token that does not count any more can still log in', async () => {
    const { status } = await world.api('GET', '/health', { token: 'vrn_gone_gone' });
    expect(status).toBe(200);
  });

  test('that changes something is one line of the audit log, also when it was refused', async () => {
    const { headers } = await world.api('DELETE', `${path}/01900000-0000-7000-8000-000000000000`, {
      token: user.token,
    });
    const { body } = await world.api('GET', `/api/audit?actor=${user.username}&limit=1`, {
      token: world.admin.token,
    });
    expect(body).toMatchObject([
      {
        actor: user.username,
        action: `DELETE ${path}/{id}`,
        resource: `${path}/01900000-0000-7000-8000-000000000000`,
        outcome: 'not_found',
        request_id: headers['x-request-id'],
      },
    ]);
  });
});

test('The OpenAPI document of the whole surface is valid and has true examples', async () => {
  const { body } = await world.api('GET', '/openapi.json');
  expect(await openApiProblems(body)).toEqual([]);
});
