import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createBatch } from '../../api/neosyntis/telemetry-batch.ts';
import { csvOf, wantsCsv } from '../../api/neosyntis/telemetry-csv.ts';
import { partitionOf, weekBegin, weekOf } from '../../db/neosyntis/telemetry-partitions.ts';
import { readLine } from '../../domain/neosyntis/line-protocol.ts';
import type { Reading } from '../../domain/neosyntis/telemetry.ts';
import { fillGaps } from '../../domain/neosyntis/telemetry-fill.ts';
import { DAY_US, HOUR_US, MINUTE_US } from '../../domain/neosyntis/telemetry-limits.ts';
import { planAggregate, rangeOf } from '../../domain/neosyntis/telemetry-plan.ts';
import { readingOf, windowAt } from '../../domain/neosyntis/telemetry-rows.ts';
import { microsOf, timeOf } from '../../domain/neosyntis/telemetry-time.ts';

const nowMs = Date.parse('2026-11-21T10:00:00Z');
const nowUs = nowMs * 1_000;
const window = windowAt(nowMs);
const good = { timestamp: '2026-11-21T09:30:00Z', metric_name: 'bed.temperature', value: 60.5 };
const line = (text: string) => readLine(text, 'ns', nowUs, window);

describe('A time', () => {
  test.each([
    ['2026-11-21T09:30:00Z', 1_795_253_400_000_000],
    ['2026-11-21T09:30:00.5Z', 1_795_253_400_500_000],
    ['2026-11-21T10:30:00.123456789+01:00', 1_795_253_400_123_456],
    ['2026-11-21t09:30:00z', 1_795_253_400_000_000],
    ['2024-02-29T00:00:00Z', 1_709_164_800_000_000],
  ])('%s is read to the microsecond', (text, us) => expect(microsOf(text)).toBe(us));

  test.each([
    '2026-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-11-21T24:00:00Z',
    '2026-11-21T24:00:00.000Z',
    '2026-02-29T00:00:00.000Z',
    '2026-00-21T09:30:00.000Z',
    '2026-11-00T09:30:00.000Z',
    '2026-11-21T09:30:60Z',
    '2026-11-21',
    'now',
    '',
  ])('%j is none', (text) => expect(microsOf(text)).toBeNaN());

  test('is shown as it was read', () =>
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000_000_000_000 }), (us) => {
        expect(microsOf(timeOf(us))).toBe(us);
      }),
    ));
});

describe('A row of JSON', () => {
  test('is a reading, its tags in order, its time also as milliseconds', () => {
    expect(readingOf({ ...good, device_id: 'printer-1', tags: { room: 'lab', axis: 'x' } }, window)).toEqual({
      atUs: 1_795_253_400_000_000,
      metric: 'bed.temperature',
      value: 60.5,
      workflowId: null,
      datasetId: null,
      deviceId: 'printer-1',
      tags: [
        ['axis', 'x'],
        ['room', 'lab'],
      ],
    });
    expect(readingOf({ ...good, timestamp: 1_795_253_400_000 }, window)).toEqual(readingOf(good, window));
  });

  test.each<[unknown, RegExp]>([
    [7, /an object with timestamp/],
    [null, /an object/],
    [[good], /an object/],
    [{ ...good, extra: 1 }, /unknown field "extra"/],
    [{ metric_name: 'a', value: 1 }, /"timestamp" is missing/],
    [{ ...good, timestamp: 'yesterday' }, /timestamp is "yesterday", not a time/],
    [{ ...good, timestamp: '2020-01-01T00:00:00Z' }, /more than 400 days ago/],
    [{ ...good, timestamp: 1_795_253_400 }, /more than 400 days ago/],
    [{ ...good, timestamp: '2026-11-22T10:00:00.001Z' }, /more than 1 day ahead/],
    [{ timestamp: good.timestamp, value: 1 }, /"metric_name" is missing/],
    [{ ...good, metric_name: '=cmd' }, /metric_name is "=cmd"/],
    [{ ...good, metric_name: 3 }, /metric_name is 3, not a text/],
    [{ ...good, value: undefined }, /"value" is missing/],
    [{ ...good, value: '60' }, /value is "60", not a number/],
    [{ ...good, value: Number.POSITIVE_INFINITY }, /not a finite number/],
    [{ ...good, value: 1e300 }, /between 1e-290 and 1e\+290/],
    [{ ...good, value: -5e-324 }, /between/],
    [{ ...good, workflow_id: 'mine' }, /workflow_id is "mine", not a UUID/],
    [{ ...good, device_id: 'a b' }, /device_id is "a b"/],
    [{ ...good, dataset_id: {} }, /dataset_id is an object/],
    [{ ...good, tags: ['a'] }, /tags is an object of texts/],
    [{ ...good, tags: { a: 1 } }, /the tag a is 1/],
    [{ ...good, tags: { 'a b': 'c' } }, /the tag "a b"/],
    [{ ...good, tags: { a: 'x\0' } }, /the tag a holds NUL/],
    [{ ...good, tags: JSON.parse('{"__proto__":{"a":1}}') }, /the tag __proto__ is an object/],
    [{ ...good, tags: Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`t${n}`, 'x'])) }, /21 tags/],
  ])('%j is refused, and it is said why', (row, problem) => expect(readingOf(row, window)).toMatch(problem));
});

describe('A line of line protocol', () => {
  const one = (text: string): Reading => {
    const { readings, problems } = line(text);
    expect(problems).toEqual([]);
    expect(readings).toHaveLength(1);
    return readings[0] as Reading; // there is one
  };

  test('gives a reading a field, named as measurement.field, or as the measurement when it is its value', () => {
    const { readings, problems } = line(
      'weather,place=roof temp=21.5,humidity=60i,dry=t,value=-1e3 1795253400123456789',
    );
    expect(problems).toEqual([]);
    expect(readings.map(({ metric, value }) => [metric, value])).toEqual([
      ['weather.temp', 21.5],
      ['weather.humidity', 60],
      ['weather.dry', 1],
      ['weather', -1_000],
    ]);
    expect(readings[0]).toMatchObject({ atUs: 1_795_253_400_123_456, tags: [['place', 'roof']] });
  });

  test('takes escapes, quotes, ids among its tags, and the time of now when it has none', () => {
    expect(one(String.raw`m,room=a\ b\,c\=d,device_id=printer-1 value=1`)).toMatchObject({
      metric: 'm',
      deviceId: 'printer-1',
      tags: [['room', 'a b,c=d']],
      atUs: nowUs,
    });
    expect(line('m note="a, b=c d",x=2 1795253400000000000')).toMatchObject({
      readings: [{ metric: 'm.x', value: 2 }],
      problems: ['the field note is a text; readings are numbers'],
    });
    expect(readLine('m value=1 1795253400', 's', nowUs, window).readings[0]?.atUs).toBe(
      1_795_253_400_000_000,
    );
    expect(readLine('m value=1 1795253400000', 'ms', nowUs, window).readings[0]?.atUs).toBe(
      1_795_253_400_000_000,
    );
  });

  test.each([
    ['m', /no fields/],
    ['m 1', /the field "1" is not name=value/],
    [',a=b value=1', /no name/],
    ['m,a value=1', /the tag "a" is not/],
    ['m,a=1,a=2 value=1', /twice/],
    ['m value=NaN', /is "NaN", not a number/],
    ['m value=1 now', /no whole number/],
    ['m value=1 1795253400000000000 more', /more than/],
    ['m value=1 12', /400 days/],
    ['m value=', /not name=value/],
    ['m,workflow_id=mine value=1', /not a UUID/],
    ['a\\ b value=1', /metric_name is "a b"/],
  ])('%j is refused, and it is said why', (text, problem) => {
    const { readings, problems } = line(text);
    expect(readings).toEqual([]);
    expect(problems.join()).toMatch(problem);
  });

  test('never throws, whatever it is', () =>
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void line(text))));
});

describe('A batch', () => {
  const at = (us: number, value: number, deviceId = 'a'): Reading => ({
    atUs: nowUs + us,
    metric: 'm',
    value,
    workflowId: null,
    datasetId: null,
    deviceId,
    tags: [],
  });

  test('writes one value a series and time, the last one, in whatever order they come', () =>
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer(), fc.constantFrom('a', 'b'))),
        (list) => {
          const batch = createBatch();
          for (const [row, [us, value, device]] of list.entries()) batch.add(row, at(us, value, device));
          const series = batch.series();
          const known = new Map(
            [...series].map(([key, { deviceId }]) => [
              key,
              { no: deviceId === 'a' ? 1 : 2, retentionDays: null },
            ]),
          );
          const { columns, answer } = batch.settled(known, () => undefined);
          const wanted = new Map(
            list.map(([us, value, device]) => [`${device === 'a' ? 1 : 2} ${nowUs + us}`, value]),
          );
          const got = new Map(columns.at.map((us, n) => [`${columns.series[n]} ${us}`, columns.value[n]]));
          expect(got).toEqual(wanted);
          expect(columns.at).toHaveLength(wanted.size);
          const result = answer(columns.at.length);
          expect(result.accepted + result.duplicates).toBe(list.length);
        },
      ),
    ));
});

describe('A question', () => {
  const range = { fromUs: 100 * DAY_US + 90_000_000, toUs: 101 * DAY_US };

  test('is answered in whole buckets, from hours, minutes or readings', () => {
    expect(planAggregate({ aggregation: 'avg', bucket: '5m' }, range, 1)).toEqual({
      aggregation: 'avg',
      fromUs: 100 * DAY_US,
      toUs: 101 * DAY_US,
      bucketUs: 5 * MINUTE_US,
      tier: 'minutes',
    });
    expect(planAggregate({ aggregation: 'avg', bucket: '7200' }, range, 1)).toMatchObject({
      bucketUs: 2 * HOUR_US,
      tier: 'hours',
    });
    expect(planAggregate({ aggregation: 'p95', bucket: '30s' }, range, 1)).toMatchObject({
      tier: 'readings',
    });
    expect(planAggregate({ aggregation: 'sum' }, range, 1)).toMatchObject({ bucketUs: 5 * MINUTE_US });
  });

  test('that is too much, or no range, is refused with what would be right', () => {
    expect(() => planAggregate({ aggregation: 'avg', bucket: '1s' }, range, 1)).toThrow(
      /86310 points.*20000 at most.*about 5 seconds/s,
    );
    expect(() => planAggregate({ aggregation: 'avg', bucket: '1m' }, range, 20)).toThrow(
      /28780 points of 20 series.*about 120 seconds/,
    );
    expect(() => planAggregate({ aggregation: 'avg', bucket: '90' }, range, 1)).toThrow(
      /whole number of minutes/,
    );
    expect(() => planAggregate({ aggregation: 'avg', bucket: '401d' }, range, 1)).toThrow(/400 days/);
    expect(() => rangeOf({ from: '2026-11-21T10:00:00Z', to: '2026-11-21T10:00:00Z' }, nowMs)).toThrow(
      /before/,
    );
    expect(() => rangeOf({ to: '2026-02-30T10:00:00Z' }, nowMs)).toThrow(/no time/);
    expect(rangeOf({}, nowMs)).toEqual({ fromUs: nowUs - HOUR_US, toUs: nowUs });
  });

  test('has its gaps filled as it says', () => {
    const found = [
      { atUs: 20, value: 2, count: 1 },
      { atUs: 50, value: 8, count: 3 },
    ];
    const filled = (fill: Parameters<typeof fillGaps>[1]) =>
      fillGaps(found, fill, { fromUs: 10, toUs: 70, bucketUs: 10 }).map(({ value }) => value);
    expect(filled('none')).toEqual([2, 8]);
    expect(filled('null')).toEqual([null, 2, null, null, 8, null]);
    expect(filled('0')).toEqual([0, 2, 0, 0, 8, 0]);
    expect(filled('previous')).toEqual([null, 2, 2, 2, 8, 8]);
    expect(filled('linear')).toEqual([null, 2, 4, 6, 8, null]);
  });
});

test('Weeks begin on Mondays, and each has a partition named by it', () => {
  const week = weekOf(nowUs);
  expect(new Date(weekBegin(week) / 1_000).toISOString()).toBe('2026-11-16T00:00:00.000Z');
  expect(weekOf(weekBegin(week) - 1)).toBe(week - 1);
  expect(partitionOf(week)).toBe('telemetry_readings_20261116');
});

test('CSV has a header, quotes what needs it, and is given to whoever asks for it', () => {
  const point = { timestamp: '2026-11-21T09:30:00.000Z', metric_name: 'm', value: -1.5 };
  expect(csvOf([{ ...point, count: 2 }], true)).toBe(
    'timestamp,metric_name,value,count,series_id\r\n2026-11-21T09:30:00.000Z,m,-1.5,2,\r\n',
  );
  expect(csvOf([{ ...point, tags: { a: 'b"c' } }], false)).toContain(',m,-1.5,,,,,"{""a"":""b\\""c""}"\r\n');
  expect(wantsCsv(undefined, 'text/csv')).toBe(true);
  expect(wantsCsv(undefined, 'application/json, text/csv')).toBe(false);
  expect(wantsCsv('json', 'text/csv')).toBe(false);
  expect(wantsCsv('csv', '*/*')).toBe(true);
});
