import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';

const path = '/api/neosyntis/telemetry';
const MINUTE_MS = 60_000;

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser();
});
afterAll(() => world.close());

/** A minute that is over, on the minute. */
const begin = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - 20 * MINUTE_MS;
const at = (minute: number) => new Date(begin + minute * MINUTE_MS).toISOString();

async function sendText(type: string, body: string) {
  const headers = { authorization: `Bearer ${user.token}`, 'content-type': type };
  const answer = await fetch(`${world.url}${path}/ingest?precision=ms`, { method: 'POST', headers, body });
  return { status: answer.status, body: await answer.json() };
}

const ask = (query: Record<string, string>, accept = 'application/json') =>
  world.api('GET', `${path}?${new URLSearchParams(query)}`, { token: user.token, headers: { accept } });

test('Gaps are filled as asked, also at both ends, and not unless asked', async () => {
  const metric_name = `m${uuidv7()}`;
  const body = [
    { timestamp: at(1), metric_name, value: 10 },
    { timestamp: at(4), metric_name, value: 40 },
  ];
  await expectStatus(200, world.api('POST', `${path}/ingest`, { token: user.token, body }));
  const filled = async (fill: Record<string, string>, aggregation: string) => {
    const query = { metric_name, from: at(0), to: at(6), bucket: '1m', aggregation, ...fill };
    const points = await expectStatus(200, ask(query));
    return points.map(({ value }: { value: number | null }) => value);
  };
  expect(await filled({}, 'avg')).toEqual([10, 40]);
  expect(await filled({ fill: 'none' }, 'avg')).toEqual([10, 40]);
  expect(await filled({ fill: 'null' }, 'max')).toEqual([null, 10, null, null, 40, null]);
  expect(await filled({ fill: '0' }, 'count')).toEqual([0, 1, 0, 0, 1, 0]);
  expect(await filled({ fill: 'previous' }, 'last')).toEqual([null, 10, 10, 10, 40, 40]);
  expect(await filled({ fill: 'linear' }, 'p95')).toEqual([null, 10, 20, 30, 40, null]);
});

test('Lines of both text formats may be late, repeated and wrong: each is told by its row, and the rest is stored', async () => {
  const metric_name = `m${uuidv7()}`;
  const line = (minute: number, value: unknown) =>
    `${metric_name} value=${value} ${begin + minute * MINUTE_MS}`;
  expect(
    await sendText(
      'text/plain',
      [line(3, 3), line(1, 1), line(3, 3), line(2, '"hot"'), '', line(2, 2)].join('\n'),
    ),
  ).toEqual({
    status: 200,
    body: { accepted: 3, duplicates: 1, refused: 1, rejected: [{ row: 3, problem: expect.any(String) }] },
  });
  const json = (minute: number, value: unknown) =>
    JSON.stringify({ timestamp: at(minute), metric_name, value });
  expect(
    await sendText(
      'application/x-ndjson',
      [json(2, 2), '{"a', json(0, 0), json(1, 7), json(9, null)].join('\n'),
    ),
  ).toMatchObject({
    status: 200,
    body: { accepted: 2, duplicates: 1, refused: 2, rejected: [{ row: 1 }, { row: 4 }] },
  });
  const points = await expectStatus(200, ask({ metric_name, from: at(0), to: at(10) }));
  expect(points.map(({ value }: { value: number }) => value)).toEqual([0, 7, 2, 3]);
});

test('Readings are exported as CSV page by page, with their tags', async () => {
  const metric_name = `m${uuidv7()}`;
  const body = [0, 1, 2].map((minute) => ({
    ...{ timestamp: at(minute), metric_name, value: minute + 0.5, device_id: 'printer-1' },
    tags: { room: 'lab, "upper"' },
  }));
  await expectStatus(200, world.api('POST', `${path}/ingest`, { token: user.token, body }));
  const query = { metric_name, from: at(0), to: at(10), limit: '2' };
  const first = await ask(query, 'text/csv');
  const link = /<(.*)>; rel="next"/.exec(String(first.headers.link ?? ''))?.[1] ?? '';
  const second = await world.api('GET', link, { token: user.token, headers: { accept: 'text/csv' } });
  const header = 'timestamp,metric_name,value,series_id,workflow_id,dataset_id,device_id,tags';
  const [top, ...rows] = first.text.trimEnd().split('\r\n');
  const [again, ...more] = second.text.trimEnd().split('\r\n');
  expect([top, again]).toEqual([header, header]);
  expect([...rows, ...more]).toEqual(
    body.map(({ timestamp, value }) =>
      expect.stringMatching(
        new RegExp(
          String.raw`^${timestamp},${metric_name},${value},[0-9a-f-]{36},,,printer-1,"\{""room"":""lab, \\""upper\\""""\}"$`,
        ),
      ),
    ),
  );
});
