import { expect, test } from '@jest/globals';
import { placeOf, type SceneSubject, sceneChanges, sceneOf } from '../../domain/myntrix/scene.ts';
import { hold, holdingFrom } from '../../domain/myntrix/telemetry-condition.ts';

const device = (place: number, state: object = {}): SceneSubject => ({
  kind: 'device',
  subject: `d${place}`,
  place,
  state: { name: `printer ${place}`, status: 'connected', desired: 'connected', host: 'bench', ...state },
});
const host = (status: string): SceneSubject => ({
  kind: 'host',
  subject: 'bench',
  place: 1,
  state: { name: 'bench', status },
});
const facts = (subjects: SceneSubject[]) => ({ subjects, uses: [], readings: new Map(), at: new Date(0) });

test('a thing stands where it is configured, or else at a place of its own that nothing else moves or comes near', () => {
  const places = Array.from({ length: 500 }, (_, n) => placeOf('device', n + 1));
  const distances = places.flatMap((one, n) =>
    places.slice(0, n).map((other) => Math.hypot(one.x - other.x, one.z - other.z)),
  );
  expect(distances.reduce((least, distance) => Math.min(least, distance))).toBeGreaterThan(2);
  const before = sceneOf(facts([host('online'), device(2), device(9)]));
  const after = sceneOf(facts([host('online'), device(9), device(5), device(2)]));
  expect(sceneChanges(before, after)).toMatchObject({
    nodes: [{ id: 'd5' }],
    links: [{ id: 'on:d5' }],
    removed: [],
  });
  expect(sceneChanges(after, before).removed).toEqual(['d5', 'on:d5']);
  const { devices } = sceneOf(
    facts([device(3, { position: { x: 1, y: 2, z: 3 } }), device(4, { position: 'here' })]),
  );
  expect(devices.map(({ position }) => position)).toEqual([{ x: 1, y: 2, z: 3 }, placeOf('device', 4)]);
});

test('what only its host can know is unknown while that is offline', () => {
  const statusOf = (hostStatus: string, state: object) =>
    sceneOf(facts([host(hostStatus), device(2, state)])).devices[0]?.status;
  expect(statusOf('online', { status: 'connected' })).toBe('connected');
  expect(statusOf('offline', { status: 'connected' })).toBe('unknown');
  expect(statusOf('offline', { status: 'error' })).toBe('unknown');
  expect(statusOf('offline', { status: 'disconnected' })).toBe('disconnected');
});

test('the tool is where the device says, by the metrics that it has or that are configured', () => {
  const readings = new Map([
    [
      'd1',
      [
        { metric: 'MPos.x', value: 1, atUs: 5_000 },
        { metric: 'MPos.y', value: 2, atUs: 6_000 },
      ],
    ],
    [
      'd2',
      [
        { metric: 'arm', value: 7, atUs: 1_000 },
        { metric: 'X', value: 8, atUs: 1_000 },
      ],
    ],
  ]);
  const uses = [
    { id: 'j', deviceId: 'd1', kind: 'job' as const, type: 'gcode', status: 'running', progress: 40 },
  ];
  const { devices, links } = sceneOf({
    ...facts([host('online'), device(1), device(2, { visual: { scale: 3, tool: { x: 'arm' } } })]),
    readings,
    uses,
  });
  expect(devices).toMatchObject([
    {
      animation: {
        type: 'work',
        progress: 40,
        tool: { x: 1, y: 2, z: null, timestamp: '1970-01-01T00:00:00.006Z' },
      },
    },
    { scale: 3, animation: { type: 'none', tool: { x: 7, y: null } } },
  ]);
  expect(links.find(({ kind }) => kind === 'job')).toMatchObject({ source: 'j', target: 'd1', progress: 40 });
});

test('a condition holds by the times of the readings, and a silence that is too long ends it', () => {
  const condition = { condition: '>=' as const, value: 60, forMs: 10_000, maxGapMs: 5_000 };
  const metAt = (readings: [seconds: number, value: number][]): number | undefined => {
    let holding = holdingFrom(0);
    for (const [seconds, value] of readings) {
      // As it goes through a heartbeat.
      const { now, isMet } = hold(
        JSON.parse(JSON.stringify(holding)),
        { value, atUs: seconds * 1e6 },
        condition,
      );
      holding = now;
      if (isMet) return seconds;
    }
    return undefined;
  };
  const each = (from: number, to: number, value: number): [number, number][] =>
    Array.from({ length: to - from + 1 }, (_, n) => [from + n, value]);
  expect(metAt(each(1, 30, 60))).toBe(11);
  expect(metAt([...each(1, 8, 60), [9, 59.9], ...each(10, 30, 61)])).toBe(20);
  expect(metAt([...each(1, 8, 60), ...each(14, 30, 60)])).toBe(24);
  expect(metAt([...each(1, 8, 60), ...each(13, 30, 60)])).toBe(13);
  expect(metAt(each(1, 30, 59))).toBeUndefined();
});
