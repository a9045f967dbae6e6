import { Agent, request } from 'node:http';
import { finished } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { weekBegin, weekOf } from '../db/neosyntis/telemetry-partitions.ts';
import { type Installation, withInstallation } from './installation.ts';
import { median, percentile, tenths } from './percentile.ts';
import { cpuMs } from './processor.ts';

/**
 * A day of 1 s data of 10 series, sent over HTTP in batches of JSON, against COPY of the same rows into a table of the
 * same shape, in turns; then questions about it, and about a month of one series, once all is rolled up. Prints one
 * JSON line. `--hours` makes the day shorter, `--days` the month.
 */
const LIMITS = { readings_per_s: 50_000, of_copy: 0.3, day_p99_ms: 100, day_percentile_p99_ms: 100 };
const SERIES = 10;
const BATCH = 5_000;
const CONNECTIONS = 2;
const ROUNDS = 6;
const ASKED = 100;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const path = '/api/neosyntis/telemetry';

const { values } = parseArgs({
  options: { hours: { type: 'string', default: '24' }, days: { type: 'string', default: '30' } },
});
const [hours, days] = [Number(values.hours), Number(values.days)];
const day = Math.floor(Date.now() / DAY_MS - 2) * DAY_MS;
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });

/** A number that looks measured, the same in each run. */
const measuredAt = (series: number, second: number): number =>
  Math.round((20 + series + 5 * Math.sin(second / 600) + ((second * 7_919) % 1_000) / 500) * 1_000) / 1_000;

await withInstallation(async ({ stack, token, call }: Installation) => {
  const client = new Client(stack.databaseUrl);
  client.on('error', () => {}); // its server goes before it when something failed
  await client.connect();
  await call('POST', `${path}/ingest`, [reading(0, 0)]); // makes the week
  await client.query(
    'create table bench_readings (like telemetry_readings including all) partition by range (at)',
  );
  const week = weekOf(day * 1_000);
  for (const one of [week, week + 1])
    await client.query(
      `create table bench_readings_${one} partition of bench_readings for values from (${weekBegin(one)}) to (${weekBegin(one + 1)})`,
    );
  const rounds = { http: [] as number[], copy: [] as number[] };
  const seconds = Math.floor((hours * 3_600) / ROUNDS);
  for (let round = 0; round < ROUNDS; round++) {
    const [begin, end] = [round * seconds, (round + 1) * seconds];
    rounds.http.push(await sent(stack.apiUrl, token, begin, end));
    rounds.copy.push(await copied(client, begin, end));
  }
  await client.query('drop table bench_readings');
  const http = Math.round(median(rounds.http));
  const copy = Math.round(median(rounds.copy));

  await addMonth(client, call);
  const rollupsMs = await rolledUp(client);
  const ask = (query: Record<string, string>) =>
    asked(
      () => call('GET', `${path}?${new URLSearchParams(query)}`),
      () => cpuMs(stack.part('api').pid ?? 0) + cpuMs(stack.part('postgres').pid ?? 0, { children: true }),
    );
  const oneDay = { metric_name: 'bench', from: iso(day), to: iso(day + DAY_MS), bucket: '1m' };
  const month = {
    metric_name: 'month',
    from: iso(day - (days - 1) * DAY_MS),
    to: iso(day + DAY_MS),
    bucket: '1h',
  };
  const questions = {
    day_avg: await ask({ ...oneDay, aggregation: 'avg' }),
    day_avg_by_series: await ask({ ...oneDay, aggregation: 'avg', group_by: 'series' }),
    day_p95: await ask({ ...oneDay, aggregation: 'p95' }),
    day_p95_by_series: await ask({ ...oneDay, aggregation: 'p95', group_by: 'series' }),
    month_avg: await ask({ ...month, aggregation: 'avg' }),
    month_p99: await ask({ ...month, aggregation: 'p99' }),
  };
  await client.end();
  const ofCopy = Math.round((http / copy) * 1_000) / 1_000;
  const ok =
    http >= LIMITS.readings_per_s &&
    ofCopy >= LIMITS.of_copy &&
    questions.day_avg.p99_ms <= LIMITS.day_p99_ms &&
    questions.day_p95.p99_ms <= LIMITS.day_percentile_p99_ms;
  console.log(
    JSON.stringify({
      ...{
        bench: 'telemetry',
        ok,
        limits: LIMITS,
        readings_per_s: http,
        copy_rows_per_s: copy,
        of_copy: ofCopy,
      },
      ...{ rolled_up_ms: rollupsMs, questions, rounds },
    }),
  );
  process.exitCode = ok ? 0 : 1;
});

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function reading(series: number, second: number) {
  return {
    timestamp: iso(day + second * 1_000),
    metric_name: 'bench',
    value: measuredAt(series, second),
    device_id: `device-${series}`,
  };
}

/** Bodies are made before the clock runs. @returns readings a second */
async function sent(url: string, token: string, begin: number, end: number): Promise<number> {
  const bodies: Buffer[] = [];
  let batch: ReturnType<typeof reading>[] = [];
  for (let second = begin; second < end; second++)
    for (let series = 0; series < SERIES; series++) {
      batch.push(reading(series, second));
      if (batch.length < BATCH && !(second === end - 1 && series === SERIES - 1)) continue;
      bodies.push(Buffer.from(JSON.stringify(batch)));
      batch = [];
    }
  const startedAt = performance.now();
  const lane = async () => {
    for (let body = bodies.shift(); body; body = bodies.shift())
      await post(`${url}${path}/ingest`, token, body);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, lane));
  return ((end - begin) * SERIES * 1_000) / (performance.now() - startedAt);
}

function post(url: string, token: string, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'content-length': body.length,
    };
    const sending = request(url, { method: 'POST', agent, headers }, (answer) => {
      answer.resume();
      answer.once('end', () =>
        answer.statusCode === 200 ? resolve() : reject(new Error(`ingest: ${answer.statusCode}`)),
      );
    });
    sending.once('error', reject);
    sending.end(body);
  });
}

/** @returns rows a second */
async function copied(client: Client, begin: number, end: number): Promise<number> {
  const texts: Buffer[] = [];
  for (let second = begin; second < end; second++) {
    let text = '';
    for (let series = 0; series < SERIES; series++)
      text += `${series}\t${(day + second * 1_000) * 1_000}\t${measuredAt(series, second)}\n`;
    texts.push(Buffer.from(text));
  }
  const whole = Buffer.concat(texts);
  const startedAt = performance.now();
  const stream = client.query(copyFrom('copy bench_readings (series, at, value) from stdin'));
  for (let at = 0; at < whole.length; at += 65_536) stream.write(whole.subarray(at, at + 65_536));
  stream.end();
  await finished(stream);
  return ((end - begin) * SERIES * 1_000) / (performance.now() - startedAt);
}

/** One series of a month, written as ingest writes: over HTTP it would take as long again as the day. */
async function addMonth(client: Client, call: Installation['call']): Promise<void> {
  const begin = day - (days - 1) * DAY_MS;
  for (let at = begin; at < day + DAY_MS; at += HOUR_MS * 24)
    await call('POST', `${path}/ingest`, [{ timestamp: iso(at), metric_name: 'month', value: 1 }]);
  for (let at = begin; at < day + DAY_MS; at += DAY_MS)
    await client.query(
      `with s as (select no from telemetry_series where metric_name = 'month'),
         g as (select $1::bigint + n * 1000000::bigint as at, 20 + 5 * sin(n / 600.0) + (n * 7919 % 1000) / 500.0 as value
           from generate_series(0, 86399) n)
       select telemetry_write(
         (select array_agg(s.no) from s, generate_series(0, 1439)),
         (select array_agg($1::bigint + m * 60000000::bigint) from generate_series(0, 1439) m),
         (select array_agg(s.no) from s, g), (select array_agg(at) from g), (select array_agg(value) from g))`,
      [at * 1_000],
    );
}

/** Waits until platform workers have rolled all up. @returns how long that took from now on */
async function rolledUp(client: Client): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    const { rows } = await client.query('select 1 from telemetry_dirty limit 1');
    if (rows.length === 0) return Math.round(performance.now() - startedAt);
    await delay(500);
  }
}

/** `cpu_ms` is what one question costs the API and PostgreSQL together, whatever else the machine does meanwhile. */
async function asked(ask: () => Promise<unknown>, cpuNow: () => number) {
  const took: number[] = [];
  let points = 0;
  let before = 0;
  for (let n = 0; n < ASKED + 5; n++) {
    if (n === 5) before = cpuNow();
    const startedAt = performance.now();
    points = ((await ask()) as unknown[]).length; // a list of points
    if (n >= 5) took.push(performance.now() - startedAt);
  }
  const cpu = tenths((cpuNow() - before) / ASKED);
  return { points, p50_ms: tenths(median(took)), p99_ms: tenths(percentile(took, 0.99)), cpu_ms: cpu };
}
