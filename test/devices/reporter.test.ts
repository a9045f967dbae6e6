import { expect, test } from '@jest/globals';
import { Value } from 'typebox/value';
import { HostTelemetry, readingsOf } from '../../domain/myntrix/host-telemetry.ts';
import { createDeviceReporter } from '../../drivers/devices/reporter.ts';
import { until } from '../support/client.ts';

const device = '01920000-0000-7000-8000-000000000001';
const other = '01920000-0000-7000-8000-000000000002';

function createWire() {
  const sent: { topic: string; message: HostTelemetry }[] = [];
  const wire = {
    isUp: true,
    sent,
    readings: () => sent.flatMap(({ message }) => message.devices).flatMap(readingsOf),
    bus: {
      publish(topic: string, message: object) {
        const read: unknown = JSON.parse(JSON.stringify(message)); // as it is on the way
        if (!Value.Check(HostTelemetry, read)) throw new Error('not what a host may send');
        sent.push({ topic, message: read });
      },
      async check() {
        if (!wire.isUp) throw new Error('no connection');
      },
    },
  };
  return wire;
}

test('a host’s reporter sends what many devices say in few messages, numbered, in order and with a time each', async () => {
  const wire = createWire();
  const reporter = createDeviceReporter();
  reporter.connect({ bus: wire.bus, host: 'bench', generation: 7 });
  for (let n = 0; n < 1_000; n++) {
    reporter.readings(device, [{ metric: 'T', value: n }]);
    if (n % 100 === 0) reporter.readings(other, [{ metric: 'MPos.x', value: n, timestamp: new Date(n) }]);
  }
  reporter.log(other, { direction: 'in', level: 'info', line: 'ok' });
  reporter.state(device, { status: 'connected', activity: 'Idle' });
  await until(
    async () => wire.readings().length,
    (count) => count === 1_010,
    60_000,
  );
  reporter.close();
  expect(wire.sent.length).toBeLessThan(20);
  expect(wire.sent.map(({ message }) => message.seq)).toEqual(wire.sent.map((_, at) => at + 1));
  expect(new Set(wire.sent.map(({ topic }) => topic))).toEqual(new Set(['vareon/hosts/bench/telemetry']));
  const own = wire.readings().filter(({ metric }) => metric === 'T');
  expect(own.map(({ value }) => value)).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
  expect(new Set(own.map(({ atUs }) => atUs)).size).toBe(1_000);
  expect(own.map(({ atUs }) => atUs)).toEqual(own.map(({ atUs }) => atUs).sort((a, b) => a - b));
  const theirs = wire.readings().filter(({ metric }) => metric === 'MPos.x');
  expect(theirs.map(({ atUs }) => atUs)).toEqual(theirs.map(({ value }) => value * 1_000));
  const devices = wire.sent.flatMap(({ message }) => message.devices);
  expect(devices.flatMap(({ logs = [] }) => logs)).toEqual([
    { direction: 'in', level: 'info', line: 'ok', at: expect.any(Number) },
  ]);
  expect(devices.flatMap(({ states = [] }) => states)).toEqual([
    { status: 'connected', activity: 'Idle', at: expect.any(Number) },
  ]);
});

test('it keeps what devices say while there is no connection, up to a limit, and tells by the numbers what was lost', async () => {
  const wire = createWire();
  wire.isUp = false;
  const reporter = createDeviceReporter();
  const disconnect = reporter.connect({ bus: wire.bus, host: 'bench', generation: 1 });
  for (let n = 0; n < 80_000; n++) reporter.readings(device, [{ metric: 'T', value: n }]);
  expect(wire.sent).toEqual([]);
  disconnect();
  wire.isUp = true;
  reporter.connect({ bus: wire.bus, host: 'bench', generation: 2 });
  await until(
    async () => wire.readings().at(-1)?.value,
    (value) => value === 79_999,
    60_000,
  );
  reporter.close();
  const kept = wire.readings();
  expect(kept.length).toBeLessThan(60_000);
  expect(kept.length + reporter.dropped()).toBe(80_000);
  expect(wire.sent[0]?.message.seq).toBeGreaterThan(1);
  expect(wire.sent.every(({ message }) => message.generation === 2)).toBe(true);
});

test('it makes names fit and lines short, and leaves out what is no number', async () => {
  const wire = createWire();
  const reporter = createDeviceReporter();
  reporter.connect({ bus: wire.bus, host: 'bench', generation: 1 });
  reporter.readings(device, [
    { metric: 'temp (°C)', value: 1 },
    { metric: '2nd', value: 2 },
    { metric: 'T', value: Number.NaN },
    { metric: 'T', value: 3, timestamp: new Date(Number.NaN) },
  ]);
  reporter.log(device, { direction: 'out', level: 'warn', line: `${'x'.repeat(999)}😀\0` });
  await until(
    async () => wire.sent.length,
    (count) => count > 0,
    60_000,
  );
  reporter.close();
  expect(wire.readings().map(({ metric, value }) => [metric, value])).toEqual([
    ['temp___C_', 1],
    ['_2nd', 2],
  ]);
  const [line] = wire.sent.flatMap(({ message }) => message.devices).flatMap(({ logs = [] }) => logs);
  expect(line?.line).toBe(`${'x'.repeat(999)}\uFFFD`);
});
