import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { v7 as uuidv7 } from 'uuid';
import { createTelemetryRollups } from '../../db/neosyntis/telemetry-rollups.ts';
import { bytesOf, createMerger, valueAt } from '../../db/neosyntis/telemetry-sketch.ts';
import { type Database, openDatabase } from '../../db/orm.ts';
import { createLogger } from '../../logs.ts';
import { until } from '../support/client.ts';
import { testStack } from '../support/stack.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';

const path = '/api/neosyntis/telemetry';
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const shares = { p50: 0.5, p95: 0.95, p99: 0.99 } as const;
type Percentile = keyof typeof shares;

let world: World;
let user: TestUser;
let database: Database;

beforeAll(async () => {
  world = await enterWorld('sql');
  user = await world.newUser();
  const log = createLogger('test', 'silent');
  const { databaseUrl } = testStack();
  database = await openDatabase({ databaseUrl, poolSize: 2, connectWithinMs: 60_000, log });
});
afterAll(async () => {
  await database.close();
  await world.close();
});

/** Two hours that are over, on the hour. */
const begin = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 3 * HOUR_MS;
const end = begin + 2 * HOUR_MS;

/** Values spread evenly over the two hours. @returns each value's time in ms */
async function send(metric_name: string, values: readonly number[], device_id = 'a'): Promise<number[]> {
  const at = values.map((_, n) => begin + Math.floor((n * 2 * HOUR_MS) / values.length));
  const body = values.map((value, n) => ({
    timestamp: new Date(at[n] ?? 0).toISOString(),
    metric_name,
    value,
    device_id,
  }));
  await expectStatus(200, world.api('POST', `${path}/ingest`, { token: user.token, body }));
  return at;
}

async function ask(metric_name: string, aggregation: Percentile, bucketMs: number) {
  const query = {
    ...{ metric_name, aggregation, bucket: `${bucketMs / 1_000}` },
    ...{ from: new Date(begin).toISOString(), to: new Date(end).toISOString() },
  };
  const answer = world.api('GET', `${path}?${new URLSearchParams(query)}`, { token: user.token });
  return (await expectStatus(200, answer)) as { timestamp: string; value: number; count: number }[];
}

/** By the nearest rank. */
const exactly = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? Number.NaN;

async function holds(metric: string, values: readonly number[], at: readonly number[]): Promise<void> {
  for (const bucketMs of [MINUTE_MS, 40 * MINUTE_MS, HOUR_MS, 2 * HOUR_MS])
    for (const name of Object.keys(shares) as Percentile[]) {
      const wanted = Map.groupBy(values, (_, n) => Math.floor((at[n] ?? 0) / bucketMs) * bucketMs);
      const found = await ask(metric, name, bucketMs);
      expect(found.map(({ timestamp, count }) => [Date.parse(timestamp), count])).toEqual(
        [...wanted].sort(([a], [b]) => a - b).map(([ms, list]) => [ms, list.length]),
      );
      for (const { timestamp, value } of found) {
        const right = exactly(wanted.get(Date.parse(timestamp)) ?? [], shares[name]);
        // A little more than the promise, for the bins' ends are rounded.
        if (!(Math.abs(value - right) <= Math.abs(right) * (0.01 + 1e-9)))
          throw new Error(`${name} of ${bucketMs} ms at ${timestamp}: ${value} instead of ${right}`);
      }
    }
}

async function rolledUp(): Promise<void> {
  const { rollUp } = createTelemetryRollups(database);
  await until(
    async () => {
      await rollUp();
      const [left] = await world.sql<{ n: number }>(
        `select count(*)::int as n from telemetry_dirty d join telemetry_series s on s.no = d.series
         where s.owner_id = ? and d.at < ?`,
        [user.id, end * 1_000],
      );
      return left?.n;
    },
    (left) => left === 0,
    60_000,
  );
}

/** Numbers from 0 to 1 that are the same in each run. */
const even = Array.from({ length: 1_000 }, (_, n) => ((n * 7_919) % 1_009) / 1_009);

const distributions: Record<string, number[]> = {
  even: even.map((x) => 20 + 10 * x),
  exponential: even.map((x) => -Math.log(1 - x) / 3),
  'heavy tail': even.map((x) => (1 - x) ** -4),
  'all magnitudes': even.map((x) => 10 ** (580 * x - 290)),
  'two peaks, far apart': even.map((x, n) => (n % 10 === 0 ? 1e9 * (1 + x) : 1e-9 * (1 + x))),
  negative: even.map((x) => -Math.exp(10 * x)),
  'both signs': even.map((x) => (x - 0.5) ** 3 * 1_000),
  'mostly zero': even.map((x, n) => (n % 20 === 0 ? x - 0.5 : 0)),
  'nothing but zero': even.map(() => 0),
  constant: even.map(() => 42.42),
  'one value': [-273.15],
  'the limits': [1e-290, -1e-290, 1e290, -1e290, 0],
};

test('Percentiles are within 1% for values of all kinds, before and after they are rolled up', async () => {
  const names = Object.entries(distributions).map(([, values]) => ({ metric: `m${uuidv7()}`, values }));
  const sent = await Promise.all(
    names.map(async (one) => ({ ...one, at: await send(one.metric, one.values) })),
  );
  for (const { metric, values, at } of sent) await holds(metric, values, at);
  await rolledUp();
  for (const { metric, values, at } of sent) await holds(metric, values, at);
});

test('Percentiles are within 1% for any values, of several series together', async () => {
  const value = fc.oneof(
    fc.constant(0),
    fc.integer({ min: -1_000, max: 1_000 }),
    fc
      .tuple(fc.constantFrom(1, -1), fc.double({ min: -289, max: 289, noNaN: true }))
      .map(([sign, exponent]) => sign * 10 ** exponent),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(value, { minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      async (series, isRolledUp) => {
        const metric = `m${uuidv7()}`;
        const at: number[] = [];
        for (const [n, values] of series.entries()) at.push(...(await send(metric, values, `d${n}`)));
        if (isRolledUp) await rolledUp();
        await holds(metric, series.flat(), at);
      },
    ),
    { numRuns: 8 },
  );
});

test('What is no number is no value: NaN and what is too large are refused in every format', async () => {
  const metric = `m${uuidv7()}`;
  const post = async (type: string, body: string) => {
    const headers = { authorization: `Bearer ${user.token}`, 'content-type': type };
    const answer = await fetch(`${world.url}${path}/ingest`, { method: 'POST', headers, body });
    return { status: answer.status, body: await answer.json() };
  };
  const row = (value: string) =>
    `{"timestamp":"${new Date(begin).toISOString()}","metric_name":"${metric}","value":${value}}`;
  expect(await post('application/json', `[${row('NaN')}]`)).toMatchObject({ status: 400 });
  expect(await post('application/json', `[${row('1e999')}]`)).toMatchObject({
    status: 422,
    body: { errors: [{ path: '/0', message: expect.stringMatching(/not a finite number/) }] },
  });
  expect(await post('application/x-ndjson', `${row('NaN')}\n${row('-1e999')}\n${row('5')}\n`)).toMatchObject({
    status: 200,
    body: { accepted: 1, refused: 2, rejected: [{ row: 0 }, { row: 1 }] },
  });
  const lines = ['NaN', 'nan', 'inf', '-Infinity', '6'].map((value) => `${metric} value=${value}`);
  expect(await post('text/plain', lines.join('\n'))).toMatchObject({
    status: 200,
    body: { accepted: 1, refused: 4, rejected: [{ row: 0 }, { row: 1 }, { row: 2 }, { row: 3 }] },
  });
});

test('Rows that a process of before has written are read and rolled up as well', async () => {
  const metric = `m${uuidv7()}`;
  const values = Array.from({ length: 720 }, (_, n) => (n % 10 === 0 ? 5 : 1));
  const at = await send(metric, values);
  await rolledUp();
  // As they were before there were bytes.
  const changed = await world.sql(
    `update telemetry_rollups r set sketch = null, (bins, counts) = (
       select array_agg(bin order by bin), array_agg(n order by bin) from (
         select case when value = 5 then ?::int else 40000 end as bin, count(*)::int as n from telemetry_readings
         where series = r.series and at >= r.at and at < r.at + r.step * 1000000::bigint group by 1) b)
     where series = (select no from telemetry_series where metric_name = ?) returning at`,
    [40_000 + Math.ceil(Math.log(5) / Math.log(1.01 / 0.99)), metric],
  );
  expect(changed).toHaveLength(122);
  await holds(metric, values, at);
  // One minute is rolled up anew, and its hour with what the others are.
  const corrected = values.with(7, 5);
  await send(metric, corrected);
  await rolledUp();
  await holds(metric, corrected, at);
});

test('Sketches are the same whether merged at once or in parts', () =>
  fc.assert(
    fc.property(
      fc.array(fc.uniqueArray(fc.integer({ min: -73_388, max: 73_388 }), { minLength: 1, maxLength: 50 }), {
        minLength: 1,
      }),
      fc.double({ min: 0.001, max: 1, noNaN: true }),
      (lists, share) => {
        const merger = createMerger();
        const parts = lists.map((bins) => {
          const sorted = Int32Array.from(bins).sort();
          return { bins: sorted, counts: new Float64Array(sorted.length).fill(3) };
        });
        merger.addBytes(Buffer.concat(parts.map(bytesOf)));
        const whole = merger.take();
        for (const [n, part] of parts.entries()) {
          if (n % 2 === 0) merger.add(part);
          else merger.addBytes(bytesOf(part));
          merger.add(merger.take());
        }
        expect(merger.take()).toEqual(whole);
        expect(whole.bins).toEqual(Int32Array.from(new Set(lists.flat())).sort());
        const values = whole.bins.reduce<number[]>((all, bin, n) => {
          for (let times = 0; times < (whole.counts[n] ?? 0); times++) all.push(bin);
          return all;
        }, []);
        const bin = values[Math.ceil(values.length * share) - 1] ?? Number.NaN;
        const one = { bins: Int32Array.of(bin), counts: Float64Array.of(1) };
        expect(valueAt(whole, share)).toBe(valueAt(one, 1));
      },
    ),
  ));
