import { describe, expect, test } from '@jest/globals';
import { createReadiness, type Probes } from '../../api/system/readiness.ts';
import { createStatusRoutes } from '../../api/system/status.ts';
import type { HostTrouble } from '../../db/myntrix/system-metrics.ts';
import { uptimeText } from '../../domain/system/status.ts';
import { log, type Served, serve } from './serve.ts';

const answers = async () => {};
const healthy: Probes = { database: answers, temporal: answers, bus: answers };

function serveStatus(probes: Partial<Probes> = {}, troubles: HostTrouble[] = []): Promise<Served> {
  return serve(
    createStatusRoutes({
      version: '1.2.3',
      uptimeSeconds: () => 93_784.9,
      readiness: createReadiness({ ...healthy, ...probes }, log),
      details: {
        neosyntis: async (user) => ({ workflows: user.isAdmin ? 9 : 2 }),
        myntrix: async () => ({ hosts_online: 1, jobs_open: 0 }),
      },
      troubles: async () => troubles,
    }),
  );
}

describe('liveness and readiness', () => {
  test('the API is alive without a login, whatever is away', async () => {
    await using api = await serveStatus({ database: () => Promise.reject(new Error('away')) });
    expect(await api.call('GET', '/health')).toMatchObject({ status: 200, body: { status: 'ok' } });
  });

  test('it is ready when every part answers', async () => {
    await using api = await serveStatus();
    const body = { database: 'ok', temporal: 'ok', bus: 'ok' };
    expect(await api.call('GET', '/ready')).toMatchObject({ status: 200, body });
  });

  test('a part that fails is named without anything of the inside', async () => {
    const refused = new Error('connect ECONNREFUSED postgres://vareon:geheim@10.1.2.3:5432');
    await using api = await serveStatus({ database: () => Promise.reject(refused) });
    const { status, body, text } = await api.call('GET', '/ready');
    expect(status).toBe(503);
    expect(body).toEqual({ database: 'cannot be reached', temporal: 'ok', bus: 'ok' });
    expect(text).not.toMatch(/geheim|10\.1\.2\.3|ECONN/);
  });

  test('parts that hang are given up after 2 s, all at once, and are not asked again meanwhile', async () => {
    let asked = 0;
    const hangs = () => {
      asked++;
      return new Promise<void>(() => {});
    };
    await using api = await serveStatus({ temporal: hangs, bus: hangs });
    const startedAt = performance.now();
    const [first, second] = await Promise.all([api.call('GET', '/ready'), api.call('GET', '/ready')]);
    const seconds = (performance.now() - startedAt) / 1000;
    expect(first.body).toEqual({
      database: 'ok',
      temporal: 'no answer within 2 s',
      bus: 'no answer within 2 s',
    });
    expect(second.body).toEqual(first.body);
    expect(seconds).toBeGreaterThan(1.9);
    expect(seconds).toBeLessThan(60);
    expect(asked).toBe(2);
  });

  test('an answer counts for half a second at most', async () => {
    let isUp = true;
    let asked = 0;
    const bus = async () => {
      asked++;
      if (!isUp) throw new Error('away');
    };
    await using api = await serveStatus({ bus });
    for (let i = 0; i < 20; i++) await api.call('GET', '/ready');
    expect(asked).toBeLessThan(20);
    isUp = false;
    const changedAt = performance.now();
    while ((await api.call('GET', '/ready')).status === 200)
      expect(performance.now() - changedAt).toBeLessThan(60_000);
  });
});

describe('the system status', () => {
  test('tells version, uptime and each module with the counts of what the caller may see', async () => {
    await using api = await serveStatus();
    const { status, body } = await api.call('GET', '/api/system/status', 'viewer');
    expect(status).toBe(200);
    const uptime = { uptime: '1d 2h 3m 4s', uptime_seconds: 93_784 };
    const absent = { status: 'unavailable', uptime: '0d 0h 0m 0s', uptime_seconds: 0 };
    expect(body).toEqual({
      status: 'ok',
      version: '1.2.3',
      ...uptime,
      modules: {
        arcana: { ...absent, details: { reason: expect.stringContaining('Arcana') } },
        cognisys: { ...absent, details: { reason: expect.stringContaining('Cognisys') } },
        neosyntis: { status: 'ok', ...uptime, details: { workflows: 2 } },
        myntrix: { status: 'ok', ...uptime, details: { hosts_online: 1, jobs_open: 0 } },
      },
      degraded: [],
    });
    const { body: asAdmin } = await api.call('GET', '/api/system/status', 'admin');
    expect(asAdmin.modules.neosyntis.details.workflows).toBe(9);
  });

  test('is degraded, and says why, while a part is away', async () => {
    await using api = await serveStatus({ temporal: () => Promise.reject(new Error('away')) });
    const { body } = await api.call('GET', '/api/system/status', 'viewer');
    expect(body.status).toBe('degraded');
    expect(body.modules.neosyntis).toMatchObject({
      status: 'degraded',
      details: { workflows: 2, reason: 'temporal: cannot be reached' },
    });
    expect(body.degraded).toEqual([
      { function: 'temporal', host: null, mocked: false, reason: 'cannot be reached', since: null },
    ]);
  });

  test('is degraded by a host that makes something up, or is silent though it is online', async () => {
    const since = '2026-11-22T09:30:00.000Z';
    const reason = 'VAREON_MOCK_PROCESSES=true';
    const fallback = { function: 'processes' as const, mocked: true as const, reason, since };
    await using api = await serveStatus({}, [
      { host: 'lathe', timestamp: since, stale: false, fallbacks: [fallback] },
      { host: 'mute', timestamp: since, stale: true, fallbacks: [] },
    ]);
    const { body } = await api.call('GET', '/api/system/status', 'viewer');
    expect(body.status).toBe('degraded');
    expect(body.degraded).toEqual([
      { ...fallback, host: 'lathe' },
      {
        function: 'system_metrics',
        host: 'mute',
        mocked: false,
        reason: expect.stringContaining(`since ${since}`),
        since,
      },
    ]);
  });

  test('needs a login', async () => {
    await using api = await serveStatus();
    expect((await api.call('GET', '/api/system/status')).status).toBe(401);
  });

  test.each([
    [0, '0d 0h 0m 0s'],
    [59.9, '0d 0h 0m 59s'],
    [3_600, '0d 1h 0m 0s'],
    [86_399, '0d 23h 59m 59s'],
    [172_800, '2d 0h 0m 0s'],
  ])('%s seconds read %s', (seconds, text) => {
    expect(uptimeText(seconds)).toBe(text);
  });
});
