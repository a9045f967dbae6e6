import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Platform, startPlatform } from './kills/platform.ts';
import { until } from './support/client.ts';
import { serveHttp } from './support/http-server.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform?.close());

async function trigger(steps: unknown[]): Promise<string> {
  const saved = await platform.ask('POST', '/api/neosyntis/workflows', { body: { name: 'asks', steps } });
  const started = await platform.ask('POST', `/api/neosyntis/workflows/${saved?.body.id}/trigger`);
  return started?.body.run_id;
}

const ended = (runId: string) =>
  until(
    async () => (await platform.ask('GET', `/api/neosyntis/runs/${runId}`))?.body,
    (run) => ['completed', 'failed'].includes(run?.status),
    60_000,
  );

describe('kill -9 of the platform worker', () => {
  test('in the middle of requests repeats a GET, and leaves a POST unknown', async () => {
    const seen: string[] = [];
    const served = await serveHttp();
    served.on('/slow', ({ method }, response) => {
      seen.push(method ?? '');
      if (seen.filter((other) => other === 'GET').length > 1) response.end('second');
    });
    const ask = (method: string) =>
      trigger([{ ask: { call: 'http', with: { method, endpoint: `${served.origin}/slow` } } }]);
    const runIds = [await ask('GET'), await ask('POST')];
    await until(
      async () => seen.length,
      (count) => count === 2,
      60_000,
    );
    await platform.kill('platform');
    const [get, post] = await Promise.all(runIds.map(ended));
    expect(get).toMatchObject({ status: 'completed', output: 'second' });
    expect(post).toMatchObject({
      status: 'failed',
      error: { instance: '/do/0/ask', detail: expect.stringMatching(/unknown/) },
      steps: [{ status: 'unknown' }],
    });
    expect(seen.sort()).toEqual(['GET', 'GET', 'POST']);
    await served.close();
  });
});
