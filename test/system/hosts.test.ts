import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createHostRoutes } from '../../api/system/hosts.ts';
import { rows } from '../../db/sql.ts';
import { createHostCredentials } from '../../db/system/host-credentials.ts';
import { createHostRepository } from '../../db/system/hosts.ts';
import { newDatabase } from '../auth/installation.ts';
import { serve } from './serve.ts';

const capabilities = { code: true, python: '3.11.7', node: '24.21.0', platform: 'linux', cpus: 2 };
const announcement = (name: string, second: number, sessions = 0) => ({
  name,
  capabilities,
  sessions,
  generation: 0,
  at: `2026-11-21T09:30:${String(second).padStart(2, '0')}.000Z`,
});

describe('worker hosts', () => {
  let db: Awaited<ReturnType<typeof newDatabase>>;
  let hosts: ReturnType<typeof createHostRepository>;
  beforeAll(async () => {
    db = await newDatabase();
    hosts = createHostRepository(db.database);
    const credentials = createHostCredentials(db.database);
    for (const name of ['lathe', 'off', 'mill', 'race', 'silent', 'zebra', 'old'])
      await credentials.ensure(name, `vrh_${name}`);
  });
  afterAll(() => db.drop());

  const look = async (name: string) => (await hosts.list()).find((host) => host.name === name);
  const age = (name: string, seconds: number) =>
    rows(db.database.em, "update hosts set last_seen = last_seen - ? * interval '1 second' where name = ?", [
      seconds,
      name,
    ]);

  test('one that announces itself is listed online with what it can do and holds', async () => {
    expect(await hosts.seen(announcement('lathe', 1, 3))).toBe(true);
    expect(await hosts.seen(announcement('lathe', 5, 4))).toBe(false);
    expect(await look('lathe')).toEqual({
      name: 'lathe',
      status: 'online',
      last_seen: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      capabilities,
      sessions: 4,
      labels: {},
      enrolled_at: expect.stringMatching(/Z$/),
    });
  });

  test('last_seen is by our clock, however wrong that of the host is', async () => {
    await hosts.seen({ ...announcement('off', 1), at: '2001-01-01T00:00:00.000Z' });
    expect(Math.abs(Date.now() - Date.parse((await look('off'))?.last_seen ?? ''))).toBeLessThan(60_000);
  });

  test('one that is gone is offline, and online again with its next announcement only', async () => {
    await hosts.seen(announcement('mill', 1, 2));
    expect(await hosts.gone('mill', 0)).toBe(true);
    expect(await hosts.gone('mill', 0)).toBe(false);
    expect(await look('mill')).toMatchObject({ status: 'offline', sessions: 0 });
    expect(await hosts.seen(announcement('mill', 1))).toBe(false);
    expect(await look('mill')).toMatchObject({ status: 'offline' });
    expect(await hosts.seen(announcement('mill', 9))).toBe(true);
    expect(await look('mill')).toMatchObject({ status: 'online' });
  });

  test('what an earlier holder of the name says, or one that is not enrolled, is no news', async () => {
    expect(await hosts.seen({ ...announcement('off', 20), generation: 7 })).toBe(false);
    await hosts.seen(announcement('off', 21));
    expect(await hosts.gone('off', 7)).toBe(false);
    expect(await look('off')).toMatchObject({ status: 'online' });
    expect(await hosts.seen(announcement('stranger', 1))).toBe(false);
    expect(await look('stranger')).toBeUndefined();
  });

  test('one that was never there cannot go', async () => {
    expect(await hosts.gone('nobody', 0)).toBe(false);
    expect(await look('nobody')).toBeUndefined();
  });

  test('of many announcements at once, one is news', async () => {
    const same = await Promise.all(Array.from({ length: 8 }, () => hosts.seen(announcement('race', 1))));
    expect(same.filter(Boolean)).toHaveLength(1);
    await hosts.gone('race', 0);
    const others = await Promise.all(
      Array.from({ length: 8 }, (_, n) => hosts.seen(announcement('race', n + 2))),
    );
    expect(others.filter(Boolean)).toHaveLength(1);
  });

  test('those not seen for long are marked offline and named once', async () => {
    await hosts.seen(announcement('silent', 1));
    await age('silent', 3_700);
    expect(await hosts.expire(3_600_000)).toEqual(['silent']);
    expect(await hosts.expire(3_600_000)).toEqual([]);
    expect(await look('silent')).toMatchObject({ status: 'offline' });
  });

  test('the list shows those that are online first', async () => {
    await using api = await serve(createHostRoutes({ hosts }));
    await hosts.seen(announcement('zebra', 1));
    const { status, body } = await api.call('GET', '/api/hosts', 'viewer');
    expect(status).toBe(200);
    const states = body.map((host: { status: string }) => host.status);
    expect(states).toEqual([...states].sort().reverse());
    expect(states).toContain('offline');
  });

  test('an administrator removes one, online or not; others are refused', async () => {
    await using api = await serve(createHostRoutes({ hosts }));
    await hosts.seen(announcement('old', 1));
    expect((await api.call('DELETE', '/api/hosts/old')).status).toBe(401);
    expect((await api.call('DELETE', '/api/hosts/old', 'operator')).status).toBe(403);
    expect((await api.call('DELETE', '/api/hosts/old', 'admin')).status).toBe(204);
    expect((await api.call('DELETE', '/api/hosts/old', 'admin')).status).toBe(404);
    expect(await look('old')).toBeUndefined();
  });
});
