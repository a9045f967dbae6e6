import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createApp, createServer } from '../../api/http/app.ts';
import { createCodecRoutes } from '../../api/temporal/codec.ts';
import { codecOrigin } from '../../api/temporal/codec-origin.ts';
import { createClient } from '../support/client.ts';
import { log, userOf } from '../system/serve.ts';

const page = 'https://page.example';
let server: ReturnType<typeof createServer>;
let api: ReturnType<typeof createClient>;

beforeAll(async () => {
  const app = createApp({
    routes: createCodecRoutes({ decode: async (payloads) => payloads, namespace: 'n', isSecure: true }),
    authenticator: { authenticate: async () => userOf('admin') },
    authenticateHost: async () => undefined,
    audit: async () => {},
    during: (work) => work(),
    corsOrigins: [page],
    beforeCors: codecOrigin(['http://localhost:8233'], []),
    log,
  });
  server = createServer(undefined, app.callback());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  api = createClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`); // it listens on TCP
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
});

describe('The codec’s routes', () => {
  test.each(['/api/temporal/codec/decode', '/API/Temporal/Codec/Decode', '/api/temporal/codec/DECODE/'])(
    'are closed to pages that may use other routes, however one spells them: %s',
    async (path) => {
      const options = { token: 'x', body: { payloads: [] } };
      expect((await api('POST', path, options)).status).toBe(200);
      const answer = await api('POST', path, { ...options, headers: { Origin: page } });
      expect(answer.status).toBe(403);
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    },
  );

  test('keep the token in a cookie that goes by HTTPS only, where browsers come by HTTPS', async () => {
    const { headers } = await api('POST', '/api/temporal/codec/session', { token: 'x' });
    expect(String(headers['set-cookie'])).toMatch(/HttpOnly; SameSite=Strict; Secure$/);
  });
});
