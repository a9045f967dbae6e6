import { describe, expect, test } from '@jest/globals';
import { readAction } from '../../domain/myntrix/task-actions.ts';
import { readSchedule } from '../../domain/myntrix/task-schedule.ts';
import type { Recurring } from '../../domain/system/schedules.ts';
import { taskClock } from '../../drivers/schedules/clock.ts';
import { patternProblem, zoneProblem } from '../../drivers/schedules/cron.ts';
import { temporalSpec } from '../../drivers/schedules/spec.ts';
import { isNominal, nextTimes } from '../../drivers/schedules/times.ts';

const read = (text: string, timezone = 'UTC'): Recurring => {
  const timing = readSchedule(text, timezone, {});
  if ('problem' in timing) throw new Error(timing.problem);
  return timing;
};
const next = (text: string, from: string, count: number, timezone?: string) =>
  nextTimes(read(text, timezone), new Date(from), count).map((time) => time.toISOString());

describe('The schedule of a task', () => {
  test.each([
    ['0 6 * * MON-FRI', { kind: 'cron', cron: '0 6 * * MON-FRI' }],
    ['@daily', { kind: 'cron', cron: '0 0 * * *' }],
    ['@Hourly', { kind: 'cron', cron: '0 * * * *' }],
    ['*/10 * * * * *', { kind: 'cron', cron: '*/10 * * * * *' }],
    ['0 0 12 ? * MON 2030', { kind: 'cron', cron: '0 0 12 * * MON 2030' }],
    ['every 10m', { kind: 'every', every_ms: 600_000 }],
    ['@every 1h30m', { kind: 'every', every_ms: 5_400_000 }],
    ['every 2 days', { kind: 'every', every_ms: 172_800_000 }],
    ['every minute', { kind: 'every', every_ms: 60_000 }],
    ['every PT15S', { kind: 'every', every_ms: 15_000 }],
  ])('%s is read', (text, wanted) => {
    expect(read(text)).toMatchObject(wanted);
  });

  test.each([
    ['* * * *', /4 field/],
    ['@reboot', /none of/],
    ['every so often', /no length of time/],
    ['every 500ms', /shortest is a second/],
    ['every 1500ms', /whole seconds/],
  ])('%s is refused', (text, why) => {
    expect(readSchedule(text, 'UTC', {})).toEqual({ problem: expect.stringMatching(why) });
  });

  test('that never comes, or in no zone that there is, is refused', () => {
    expect(patternProblem('0 0 31 2 *', 'UTC')).toMatch(/never comes/);
    expect(patternProblem('0 0 12 1 1 * 2020', 'UTC')).toMatch(/never comes/);
    expect(patternProblem('0 25 * * *', 'UTC')).toMatch(/no cron expression/);
    expect(zoneProblem('Europe/Berlim')).toMatch(/did you mean Europe\/Berlin\?/);
    expect(zoneProblem('europe/berlin')).toMatch(/did you mean Europe\/Berlin\?/);
    expect(zoneProblem('Europe/Berlin')).toBeUndefined();
  });

  test('with both days comes on either of them', () => {
    expect(next('0 0 13 * FRI', '2027-08-08T00:00:00Z', 3)).toEqual([
      '2027-08-13T00:00:00.000Z', // both
      '2027-08-20T00:00:00.000Z',
      '2027-08-27T00:00:00.000Z',
    ]);
    expect(next('0 0 1 * MON', '2027-01-30T00:00:00Z', 3)).toEqual([
      '2027-02-01T00:00:00.000Z',
      '2027-02-08T00:00:00.000Z',
      '2027-02-15T00:00:00.000Z',
    ]);
  });

  test('comes between its dates only, both included', () => {
    const bounds = { starts_at: '2027-01-02T00:00:00.000Z', ends_at: '2027-01-03T00:00:00.000Z' };
    const daily = { ...read('@daily'), ...bounds };
    const times = nextTimes(daily, new Date('2026-12-24T12:00:00Z'), 5).map((time) => time.toISOString());
    expect(times).toEqual(['2027-01-02T00:00:00.000Z', '2027-01-03T00:00:00.000Z']);
    expect(
      ['01', '02', '03', '04'].map((day) => isNominal(daily, new Date(`2027-01-${day}T00:00:00Z`))),
    ).toEqual([...[false, true, true, false]]);
    expect(temporalSpec(daily)).toMatchObject({ startAt: new Date(bounds.starts_at) });
  });

  test('gives the nominal times of a period, the newest when they are too many', () => {
    const from = new Date('2027-01-01T00:00:00Z');
    const times = taskClock.between(read('* * * * * *'), from, new Date(+from + 299_000), 1_000);
    expect(times.map((time) => (+time - +from) / 1_000)).toEqual(Array.from({ length: 300 }, (_, at) => at));
    const few = taskClock.between(read('* * * * * *'), from, new Date(+from + 299_500), 2);
    expect(few.map((time) => (+time - +from) / 1_000)).toEqual([298, 299]);
  });

  test('with seconds is asked by Temporal at all of its times, where clocks change too', () => {
    for (const cron of ['15 30 2 * * *', '*/20 */7 1-3 * * *'])
      for (const timezone of ['Europe/Berlin', 'Australia/Lord_Howe']) {
        const timing = { kind: 'cron', cron, timezone } as const;
        const { calendars = [] } = temporalSpec(timing);
        for (const start of ['2027-03-27T12:00:00Z', '2027-10-02T12:00:00Z', '2027-10-30T12:00:00Z'])
          for (const time of nextTimes(timing, new Date(start), 30)) {
            const asked = calendars.some(
              ({ second = [0], minute, hour }) =>
                second.includes(time.getUTCSeconds()) &&
                minute.includes(time.getUTCMinutes()) &&
                hour.includes(time.getUTCHours()),
            );
            expect([cron, timezone, time.toISOString(), asked]).toEqual([
              cron,
              timezone,
              time.toISOString(),
              true,
            ]);
          }
      }
  });
});

describe('The action of a task', () => {
  test('may be an object, its JSON, or a word with its target', () => {
    const api = { type: 'api', url: 'https://example.org/' };
    expect(readAction(api, undefined)).toEqual({ value: api, path: '/action' });
    expect(readAction(JSON.stringify(api), undefined)).toEqual({ value: api, path: '/action' });
    expect(readAction('api', 'https://example.org/')).toEqual({ value: api, path: '/target' });
    expect(readAction('script', '#!/usr/bin/env python3\nprint(1)')).toMatchObject({
      value: { type: 'script', language: 'python' },
    });
    expect(readAction('script', 'echo 1')).toMatchObject({ value: { language: 'shell', code: 'echo 1' } });
    for (const [action, target] of [['api'], ['fly', 'x'], [api, 'x'], ['{"type":']] as [unknown, string?][])
      expect(readAction(action, target)).toHaveProperty('problems');
  });
});
