import { randomInt } from 'node:crypto';
import type { DeviceTelemetryStore } from '../../db/myntrix/device-telemetry.ts';
import { AppError } from '../../domain/errors.ts';
import type { HostTelemetry, LiveReading } from '../../domain/myntrix/host-telemetry.ts';
import { topics } from '../../domain/names.ts';
import type { RefusedRow } from '../../domain/neosyntis/telemetry.ts';
import { NAMED_ROWS } from '../../domain/neosyntis/telemetry-limits.ts';
import { checked, type Window, windowAt } from '../../domain/neosyntis/telemetry-rows.ts';
import { microsOf } from '../../domain/neosyntis/telemetry-time.ts';
import type { Bus } from '../../drivers/bus/port.ts';

export interface GatewayAnswer {
  accepted: number;
  duplicates: number;
  rejected: RefusedRow[];
}

export type DeviceGateway = ReturnType<typeof createDeviceGateway>;

/** Takes readings that devices and gateways send by themselves: stored, and told to whoever watches, as from a host. */
export function createDeviceGateway({ bus, telemetry }: { bus: Bus; telemetry: DeviceTelemetryStore }) {
  /** As hosts number: this process is one more that does, by itself for each host's topic. */
  const epoch = randomInt(2 ** 47);
  const numbers = new Map<string, number>();
  let lastUs = 0;

  function nowUs(): number {
    lastUs = Math.max(Date.now() * 1_000, lastUs + 1);
    return lastUs;
  }

  function tell(host: string, generation: number, deviceId: string, readings: readonly LiveReading[]): void {
    const seq = (numbers.get(host) ?? 0) + 1;
    numbers.set(host, seq);
    const message: HostTelemetry = {
      generation,
      epoch,
      seq,
      stored: true,
      devices: [{ id: deviceId, ...columnsOf(readings) }],
    };
    bus.publish(topics.hostTelemetry(host), message);
  }

  return {
    /**
     * Stores what is right of it; rows that are not are named.
     * @throws AppError `not_found` when the device is gone
     */
    async take(deviceId: string, rows: readonly unknown[]): Promise<GatewayAnswer> {
      const place = (await telemetry.places([deviceId])).get(deviceId);
      if (!place) throw new AppError('not_found', `There is no device ${deviceId}.`);
      const window = windowAt(Date.now());
      const readings: LiveReading[] = [];
      const rejected: RefusedRow[] = [];
      for (const [row, item] of rows.entries()) {
        const reading = readingOf(item, deviceId, window, nowUs);
        if (typeof reading !== 'string') readings.push(reading);
        else if (rejected.length < NAMED_ROWS) rejected.push({ row, problem: reading });
      }
      if (readings.length === 0) return { accepted: 0, duplicates: 0, rejected };
      const { stored } = await telemetry.store([{ deviceId, readings }], window);
      tell(place.host, place.generation ?? 0, deviceId, readings);
      return { accepted: stored, duplicates: readings.length - stored, rejected };
    },
  };
}

const fields = new Set(['metric', 'value', 'timestamp']);

/** A reading, or what is wrong with it; without a timestamp it is now. */
function readingOf(
  row: unknown,
  deviceId: string,
  window: Window,
  nowUs: () => number,
): LiveReading | string {
  if (row === null || typeof row !== 'object' || Array.isArray(row))
    return 'a reading is an object with metric, value and, if you like, timestamp';
  for (const name in row)
    if (!fields.has(name))
      return `unknown field "${name.slice(0, 80)}"; known here: ${[...fields].join(', ')}`;
  const { metric, value, timestamp } = row as Record<string, unknown>; // an object: looked at below
  if (typeof metric !== 'string') return 'metric is not a text';
  if (typeof value !== 'number') return 'value is not a number';
  const atUs =
    timestamp === undefined ? nowUs() : typeof timestamp === 'string' ? microsOf(timestamp) : Number.NaN;
  if (Number.isNaN(atUs)) return 'timestamp is not a time such as 2026-11-21T09:30:00.000Z';
  const named = { metric, workflowId: null, datasetId: null, deviceId, tags: [] };
  const found = checked({ ...named, value, atUs }, window);
  return typeof found === 'string' ? found : { metric, value, atUs };
}

function columnsOf(readings: readonly LiveReading[]) {
  const metrics = [...new Set(readings.map(({ metric }) => metric))].slice(0, 500);
  const indexes = new Map(metrics.map((metric, index) => [metric, index]));
  const known = readings.filter(({ metric }) => indexes.has(metric));
  const from = known[0]?.atUs ?? 0;
  return {
    metrics,
    from,
    of: known.map(({ metric }) => indexes.get(metric) ?? 0),
    steps: known.map(({ atUs }, n) => atUs - (known[n - 1]?.atUs ?? from)),
    values: known.map(({ value }) => value),
  };
}
