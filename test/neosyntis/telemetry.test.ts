import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { pruneTelemetry } from '../../db/neosyntis/telemetry-retention.ts';
import { createTelemetryRollups } from '../../db/neosyntis/telemetry-rollups.ts';
import { type Database, openDatabase } from '../../db/orm.ts';
import { prunePiece } from '../../db/system/retention.ts';
import { BATCH_BYTES, BATCH_ROWS, SERIES_OF_USER } from '../../domain/neosyntis/telemetry-limits.ts';
import { createLogger } from '../../logs.ts';
import { until } from '../support/client.ts';
import { testStack } from '../support/stack.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';

const path = '/api/neosyntis/telemetry';
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

let world: World;
let user: TestUser;
let database: Database;

beforeAll(async () => {
  world = await enterWorld('sql');
  user = await world.newUser();
  const log = createLogger('test', 'silent');
  database = await openDatabase({
    databaseUrl: testStack().databaseUrl,
    poolSize: 2,
    connectWithinMs: 60_000,
    log,
  });
});
afterAll(async () => {
  await database.close();
  await world.close();
});

const iso = (ms: number) => new Date(ms).toISOString();
const newName = () => `m${uuidv7()}`;

const send = (body: unknown, { token } = user) => world.api('POST', `${path}/ingest`, { token, body });

const sendText = async (type: string, body: string, query = '') =>
  (
    await fetch(`${world.url}${path}/ingest${query}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${user.token}`, 'content-type': type },
      body,
    })
  ).json();

const ask = (query: Record<string, string>, { token } = user) =>
  world.api('GET', `${path}?${new URLSearchParams(query)}`, { token });

const stored = async (name: string) =>
  (await expectStatus(200, ask({ metric_name: name, from: iso(Date.now() - DAY_MS) }))).map(
    ({ timestamp, value }: { timestamp: string; value: number }) => [timestamp, value],
  );

describe('A batch', () => {
  test('is stored but for its wrong rows; what comes again is a duplicate, another value replaces', async () => {
    const metric_name = newName();
    const [first, second] = [iso(Date.now() - 60_000), iso(Date.now() - 50_000)];
    const batch = [
      { timestamp: first, metric_name, value: 1 },
      { timestamp: first, metric_name, value: 'hot' },
      { timestamp: second, metric_name, value: 2 },
      { timestamp: second, metric_name, value: 3, workflow_id: uuidv7() },
    ];
    const answer = await expectStatus(200, send(batch));
    expect(answer).toMatchObject({ accepted: 2, duplicates: 0, refused: 2 });
    expect(answer.rejected).toEqual([
      { row: 1, problem: 'value is "hot", not a number' },
      { row: 3, problem: `there is no workflow ${batch[3]?.workflow_id}` },
    ]);
    expect(await expectStatus(200, send(batch))).toMatchObject({ accepted: 0, duplicates: 2, refused: 2 });
    const corrected = [{ timestamp: first, metric_name, value: 7 }, batch[2]];
    expect(await expectStatus(200, send(corrected))).toMatchObject({
      accepted: 1,
      duplicates: 1,
      refused: 0,
    });
    expect(await stored(metric_name)).toEqual([
      [first, 7],
      [second, 2],
    ]);
  });

  test('is JSON, JSON lines or line protocol', async () => {
    const metric_name = newName();
    const at = Math.floor(Date.now() / 1_000) - 100;
    const row = (n: number) => JSON.stringify({ timestamp: iso((at + n) * 1_000), metric_name, value: n });
    expect(await sendText('application/x-ndjson', `${row(0)}\n{"a\n\n${row(1)}\n`)).toMatchObject({
      accepted: 2,
      refused: 1,
      rejected: [{ row: 1, problem: expect.stringMatching(/^is not JSON/) }],
    });
    const lines = `# said\n${metric_name},room=lab value=2 ${at + 2}\n${metric_name} note="x",value=3i ${at + 3}`;
    expect(await sendText('text/plain; charset=utf-8', lines, '?precision=s')).toMatchObject({
      accepted: 2,
      rejected: [{ row: 2, problem: expect.stringMatching(/note is a text/) }],
    });
    expect(await stored(metric_name)).toEqual([0, 1, 2, 3].map((n) => [iso((at + n) * 1_000), n]));
    expect(
      (await expectStatus(200, ask({ metric_name, tag: 'room:lab' }))).map(
        ({ value }: { value: number }) => value,
      ),
    ).toEqual([2]);
  });

  test('that is none, too large or all wrong is refused, and stores nothing', async () => {
    const good = { timestamp: iso(Date.now()), metric_name: newName(), value: 1 };
    const { body } = await send([{ ...good, value: null }, 7]);
    expect(body).toMatchObject({ status: 422, errors: [{ path: '/0' }, { path: '/1' }] });
    expect((await send(good)).status).toBe(422);
    expect((await send(Array(BATCH_ROWS + 1).fill(0))).status).toBe(413);
    expect(await sendText('application/json', ' '.repeat(BATCH_BYTES + 1))).toMatchObject({ status: 413 });
    expect(await sendText('application/json', '[{')).toMatchObject({ status: 400 });
    expect(await sendText('text/csv', 'a,b')).toMatchObject({ status: 415 });
    expect(await expectStatus(200, send([]))).toEqual({
      accepted: 0,
      duplicates: 0,
      refused: 0,
      rejected: [],
    });
    expect(await stored(good.metric_name)).toEqual([]);
  });

  test('may be sent by many at once, in any order, and is stored once', async () => {
    const metric_name = newName();
    const begin = Date.now() - HOUR_MS;
    const batch = Array.from({ length: 600 }, (_, n) => ({
      timestamp: iso(begin + n * 1_000),
      metric_name,
      value: n,
      device_id: `d${n % 3}`,
    }));
    const orders = [
      batch,
      batch.toReversed(),
      batch.toSorted((a, b) => (a.value % 7) - (b.value % 7)),
      batch,
    ];
    const answers = await Promise.all(orders.map((order) => expectStatus(200, send(order))));
    expect(answers.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(600);
    const counted = await ask({ metric_name, from: iso(begin), aggregation: 'count', bucket: '365d' });
    expect(counted.body[0].value).toBe(600);
  });
});

describe('An answer', () => {
  /** Two series over a bit more than two hours that are over, on the hour; values of both signs. */
  const hour = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 4 * HOUR_MS;
  const readings = Array.from({ length: 1_500 }, (_, n) => ({
    ms: hour + n * 5_000 + (n % 2) * 777,
    value: Math.sin(n / 40) * 50 + (n % 11) - 20,
    device_id: n % 2 ? 'odd' : 'even',
  }));
  const metric_name = newName();
  const range = { from: iso(hour), to: iso(hour + 3 * HOUR_MS - 1) };
  const aggregations = ['avg', 'min', 'max', 'sum', 'count', 'first', 'last', 'p50', 'p95', 'p99'];

  const exactly = (aggregation: string, list: typeof readings): number => {
    const values = list.map(({ value }) => value);
    const sorted = values.toSorted((a, b) => a - b);
    const sum = values.reduce((a, b) => a + b, 0);
    const known: Record<string, number> = {
      avg: sum / values.length,
      min: sorted[0] ?? 0,
      max: sorted.at(-1) ?? 0,
      sum,
      count: values.length,
      first: values[0] ?? 0,
      last: values.at(-1) ?? 0,
    };
    const share = Number(aggregation.slice(1)) / 100;
    return known[aggregation] ?? sorted[Math.ceil(values.length * share) - 1] ?? Number.NaN;
  };

  /** Asks everything, and holds it to what was sent. */
  async function holds(sent: typeof readings): Promise<void> {
    for (const [bucket, bucketMs] of [
      ['20s', 20_000],
      ['1m', 60_000],
      ['15m', 900_000],
      ['1h', HOUR_MS],
    ] as const)
      for (const aggregation of aggregations) {
        const { body } = await ask({ metric_name, ...range, aggregation, bucket });
        const wanted = [...Map.groupBy(sent, ({ ms }) => Math.floor(ms / bucketMs) * bucketMs)];
        expect(body.map(({ timestamp, count }: never) => [timestamp, count])).toEqual(
          wanted.map(([ms, list]) => [iso(ms), list.length]),
        );
        for (const [n, [, list]] of wanted.entries()) {
          const value = exactly(aggregation, list);
          const error = aggregation.startsWith('p') && bucket !== '20s' ? 0.0101 : 1e-9;
          const off = Math.abs(body[n].value - value);
          if (off > Math.abs(value) * error + 1e-9)
            throw new Error(
              `${aggregation} ${bucket} ${body[n].timestamp}: ${body[n].value} instead of ${value}`,
            );
        }
      }
  }

  const marks = () =>
    world.sql<{ step: number }>(
      'select d.step from telemetry_dirty d join telemetry_series s on s.no = d.series where s.metric_name = ?',
      [metric_name],
    );

  test('is right before, while and after its minutes are rolled up, and after a correction', async () => {
    const rows = readings.map(({ ms, ...rest }) => ({ timestamp: iso(ms), metric_name, ...rest }));
    await expectStatus(200, send(rows.filter((_, n) => n % 3 !== 0)));
    await expectStatus(200, send(rows.filter((_, n) => n % 3 === 0)));
    await holds(readings);
    const { rollUp } = createTelemetryRollups(database);
    await until(
      async () => {
        await rollUp();
        return (await marks()).length;
      },
      (left) => left === 0,
      60_000,
    );
    const [rolled] = await world.sql<{ n: number }>(
      `select sum(r.count)::int as n from telemetry_rollups r join telemetry_series s on s.no = r.series
       where s.metric_name = ? and r.step = 3600`,
      [metric_name],
    );
    expect(rolled?.n).toBe(readings.length);
    await holds(readings);
    const corrected = readings.map((one, n) => (n === 700 ? { ...one, value: 500 } : one));
    await expectStatus(200, send([{ ...rows[700], value: 500 }]));
    await holds(corrected);
  });

  test('has its series apart, its gaps filled, and is CSV for whoever wants it', async () => {
    const apart = await ask({
      metric_name,
      ...range,
      aggregation: 'count',
      bucket: '1h',
      group_by: 'series',
    });
    expect(new Set(apart.body.map(({ series_id }: { series_id: string }) => series_id)).size).toBe(2);
    expect(apart.body.map(({ count }: { count: number }) => count)).toEqual([360, 360, 30, 360, 360, 30]);
    const query = {
      metric_name,
      device_id: 'odd',
      from: iso(hour - HOUR_MS),
      to: iso(hour + HOUR_MS),
      aggregation: 'count',
      bucket: '1h',
    };
    const filled = await ask({ ...query, fill: 'null' });
    expect(filled.body).toEqual([
      { timestamp: iso(hour - HOUR_MS), metric_name, value: null, count: 0 },
      { timestamp: iso(hour), metric_name, value: 360, count: 360 },
    ]);
    const csv = await world.api('GET', `${path}?${new URLSearchParams(query)}`, {
      token: user.token,
      headers: { accept: 'text/csv' },
    });
    expect(csv.headers['content-type']).toBe('text/csv; charset=utf-8');
    expect(csv.text).toBe(
      `timestamp,metric_name,value,count,series_id\r\n${iso(hour)},${metric_name},360,360,\r\n`,
    );
    const wide = await ask({ ...query, from: iso(Date.now() - 365 * DAY_MS), bucket: '1m' });
    expect(wide.body).toMatchObject({ status: 422, errors: [{ path: '/bucket' }] });
    expect(wide.body.detail).toMatch(/20000 at most/);
  });

  test('is had by steps of its owner’s runs', async () => {
    const steps = [
      {
        most: {
          call: 'telemetry.query',
          with: { metric_name, ...range, aggregation: 'count', bucket: '3h' },
        },
      },
    ];
    const [own, others] = await Promise.all([
      world.run(user, steps),
      world.run(await world.newUser(), steps),
    ]);
    const counts = own.output.map(({ count }: { count: number }) => count);
    expect(counts.reduce((a: number, b: number) => a + b)).toBe(readings.length);
    expect(others).toMatchObject({ status: 'completed', output: [] });
  });

  test('gives readings page by page, each once', async () => {
    const seen: string[] = [];
    let next = `${path}?${new URLSearchParams({ metric_name, ...range, limit: '400' })}`;
    while (next) {
      const page = await world.api('GET', next, { token: user.token });
      for (const { timestamp, device_id } of page.body) seen.push(`${timestamp} ${device_id}`);
      next = /<(.*)>; rel="next"/.exec(String(page.headers.link ?? ''))?.[1] ?? '';
    }
    expect(seen).toEqual(readings.map(({ ms, device_id }) => `${iso(ms)} ${device_id}`));
  });
});

describe('A series', () => {
  test('is its owner’s and the administrators’, and of workflows that its owner may read', async () => {
    const metric_name = newName();
    const other = await world.newUser();
    const reading = { timestamp: iso(Date.now() - 1_000), metric_name, value: 1 };
    const workflow_id = await world.newWorkflow(user, [{ a: { set: { a: 1 } } }]);
    await expectStatus(200, send([{ ...reading, workflow_id }]));
    expect((await send([{ ...reading, workflow_id }], other)).status).toBe(422);
    await expectStatus(200, send([reading], other));
    for (const [who, n] of [
      [user, 1],
      [other, 1],
      [world.admin, 2],
    ] as const) {
      expect((await ask({ metric_name }, who)).body).toHaveLength(n);
      const list = await world.api('GET', `${path}/series?metric_name=${metric_name}`, { token: who.token });
      expect(list.body).toHaveLength(n);
    }
    expect((await ask({ workflow_id })).body).toHaveLength(1);
  });

  test('is made while its owner may have more, and one that is not made hinders no other', async () => {
    const other = await world.newUser();
    await world.sql(
      `insert into telemetry_series (id, owner_id, key, metric_name, tags, created_at)
       select gen_random_uuid(), ?, sha256(n::text::bytea), 'm', '{}', now() from generate_series(1, ?) n`,
      [other.id, SERIES_OF_USER - 1],
    );
    const reading = { timestamp: iso(Date.now()), metric_name: newName(), value: 1 };
    const rows = ['a', 'b', 'a'].map((device_id, n) => ({ ...reading, device_id, value: n }));
    const answer = await expectStatus(200, send(rows, other));
    expect(answer.accepted + answer.duplicates + answer.refused).toBe(3);
    expect(answer.accepted).toBe(1);
    expect(answer.rejected[0].problem).toMatch(/10000 series, the most/);
    await world.sql('delete from telemetry_series where owner_id = ?', [other.id]);
    // What was known of it is forgotten, and made anew.
    expect(await expectStatus(200, send(rows, other))).toMatchObject({
      accepted: 2,
      duplicates: 1,
      refused: 0,
    });
  });

  test('is kept as long as it says, by whole weeks', async () => {
    const metric_name = newName();
    const at = (days: number, value = 1) => ({
      timestamp: iso(Date.now() - days * DAY_MS),
      metric_name,
      value,
    });
    await expectStatus(200, send([at(0)]));
    const { body } = await world.api('GET', `${path}/series?metric_name=${metric_name}`, {
      token: user.token,
    });
    const keep = (retention_days: number | null) =>
      expectStatus(
        200,
        world.api('PUT', `${path}/series/${body[0].id}`, { token: user.token, body: { retention_days } }),
      );
    const tooOld = await send([at(200)]);
    expect(tooOld.body.errors).toEqual([
      { path: '/0', message: 'timestamp is older than its series is kept (90 days)' },
    ]);
    await keep(0);
    await expectStatus(200, send([at(200), at(100), at(30), at(1)]));
    const counted = async () => {
      const answer = await ask({ metric_name, from: iso(Date.now() - 399 * DAY_MS), limit: '100' });
      return answer.body.length;
    };
    expect(await counted()).toBe(5);
    const pruned = (left: number) =>
      until(
        async () => {
          await prunePiece(database, 'telemetry', (tx) => pruneTelemetry(tx, 90));
          return counted();
        },
        (n) => n === left,
        60_000,
      );
    await keep(null);
    await pruned(3);
    await keep(14);
    await pruned(2);
  });
});
