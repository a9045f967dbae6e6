import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createAuditRoutes } from '../../api/system/audit.ts';
import { createAuditLog } from '../../db/system/audit.ts';
import { newDatabase } from '../auth/installation.ts';
import { type Served, serve, userOf } from './serve.ts';

const post = 'POST /api/neosyntis/workflows';

describe('the audit log', () => {
  let db: Awaited<ReturnType<typeof newDatabase>>;
  let api: Served;
  beforeAll(async () => {
    db = await newDatabase();
    const audit = createAuditLog(db.database);
    const request = { resource: '/api/x', requestId: 'r1', ip: '192.0.2.7' };
    for (const [role, action, outcome] of [
      ['admin', post, 'ok'],
      ['operator', post, 'ok'],
      ['operator', post, 'invalid'],
      ['operator', 'DELETE /api/hosts/{name}', 'forbidden'],
    ] as const)
      await audit.write({ user: userOf(role), action, outcome, ...request });
    await audit.write({ user: undefined, action: post, outcome: 'unauthenticated', ...request });
    api = await serve(createAuditRoutes({ audit }));
  });
  afterAll(async () => {
    await api[Symbol.asyncDispose]();
    await db.drop();
  });

  const outcomes = async (query: string) =>
    (await api.call('GET', `/api/audit?${query}`, 'admin')).body.map(
      (line: { outcome: string }) => line.outcome,
    );

  test('is for administrators', async () => {
    expect((await api.call('GET', '/api/audit')).status).toBe(401);
    expect((await api.call('GET', '/api/audit', 'operator')).status).toBe(403);
  });

  test('shows who did what with which outcome, newest first', async () => {
    const { status, body } = await api.call('GET', '/api/audit', 'admin');
    expect(status).toBe(200);
    expect(body).toHaveLength(5);
    expect(body[0]).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      actor: 'anonymous',
      action: post,
      resource: '/api/x',
      outcome: 'unauthenticated',
      request_id: 'r1',
      ip: '192.0.2.7',
    });
  });

  test('filters by actor, action and outcome, together too', async () => {
    expect(await outcomes('actor=operator')).toEqual(['forbidden', 'invalid', 'ok']);
    expect(await outcomes(`action=${encodeURIComponent(post)}`)).toEqual([
      'unauthenticated',
      'invalid',
      'ok',
      'ok',
    ]);
    expect(await outcomes('outcome=ok')).toHaveLength(2);
    expect(await outcomes(`actor=operator&outcome=ok&action=${encodeURIComponent(post)}`)).toEqual(['ok']);
    expect(await outcomes("actor=' or true --")).toEqual([]);
  });

  test('comes in pages whose links keep the filters', async () => {
    const first = await api.call('GET', '/api/audit?limit=2&actor=operator', 'admin');
    expect(first.body).toHaveLength(2);
    const next = /<([^>]+)>; rel="next"/.exec(first.headers.get('link') ?? '')?.[1] ?? '';
    expect(next).toContain('actor=operator');
    const second = await api.call('GET', next, 'admin');
    expect(second.body).toHaveLength(1);
    expect(second.headers.get('link')).toBeNull();
  });

  test('refuses a filter that it does not know', async () => {
    const { status, body } = await api.call('GET', '/api/audit?user=ada', 'admin');
    expect(status).toBe(422);
    expect(body.errors).toEqual([expect.objectContaining({ path: '/user' })]);
  });
});
