import { Compile } from 'typebox/compile';
import { createDeviceLineStore } from '../db/myntrix/device-lines.ts';
import { createDeviceTelemetryStore, type DeviceReadings } from '../db/myntrix/device-telemetry.ts';
import type { Database } from '../db/orm.ts';
import { HostTelemetry, linesOf, readingsOf, type SourcedLine } from '../domain/myntrix/host-telemetry.ts';
import { topics } from '../domain/names.ts';
import { windowAt } from '../domain/neosyntis/telemetry-rows.ts';
import type { Bus } from '../drivers/bus/port.ts';
import type { Logger } from '../logs.ts';
import { createWaitingLines } from './device-lines.ts';

/** Readings are stored together this often. */
const STORE_EVERY_MS = 500;
/** What waits while the database is slow or away; the oldest goes first. */
const WAITING_LIMIT = 200_000;
/** Of one statement. */
const STORE_AT_ONCE = 20_000;
/** What is not stored is told of this often at most. */
const TELL_EVERY_MS = 10_000;

const isHostTelemetry = Compile(HostTelemetry);

interface Waiting extends DeviceReadings {
  host: string;
  generation: number;
}

/**
 * Stores what hosts say of their own devices: readings, and the newest lines. Each platform worker does: the bus may lose a message to one of them, and
 * what is stored twice is stored once.
 */
export async function storeDeviceTelemetry({
  bus,
  database,
  log,
}: {
  bus: Bus;
  database: Database;
  log: Logger;
}): Promise<{ close(): Promise<void> }> {
  const store = createDeviceTelemetryStore(database);
  const lineStore = createDeviceLineStore(database);
  const waitingLines = createWaitingLines();
  let waiting: Waiting[] = [];
  let count = 0;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let working: Promise<void> = Promise.resolve();
  const lost = { foreign: 0, refused: 0, dropped: 0 };
  let toldAt = Number.NEGATIVE_INFINITY;

  function tell(): void {
    if (lost.foreign + lost.refused + lost.dropped === 0 || performance.now() < toldAt + TELL_EVERY_MS)
      return;
    log.warn({ ...lost }, 'readings of devices were not stored');
    Object.assign(lost, { foreign: 0, refused: 0, dropped: 0 });
    toldAt = performance.now();
  }

  function take(): Waiting[] {
    let taken = 0;
    let items = 0;
    while (items < waiting.length && taken < STORE_AT_ONCE) taken += waiting[items++]?.readings.length ?? 0;
    count -= taken;
    return waiting.splice(0, items);
  }

  /** What came from the host that has the device, in this life of it. */
  async function ownOf<Item extends { deviceId: string; host: string; generation: number }>(
    items: readonly Item[],
  ): Promise<Item[]> {
    const places = await store.places([...new Set(items.map(({ deviceId }) => deviceId))]);
    return items.filter(({ deviceId, host, generation }) => {
      const place = places.get(deviceId);
      return place?.host === host && place.generation === generation;
    });
  }

  async function storeLines(): Promise<void> {
    const taken = waitingLines.take();
    if (taken.length === 0) return;
    try {
      const byDevice = new Map<string, SourcedLine[]>();
      for (const { deviceId, lines } of await ownOf(taken))
        byDevice.set(deviceId, [...(byDevice.get(deviceId) ?? []), ...lines]);
      await lineStore.store(byDevice);
    } catch (error) {
      waitingLines.putBack(taken);
      throw error;
    }
  }

  async function storeSome(): Promise<void> {
    const batch = take();
    try {
      const own = await ownOf(batch);
      for (const { readings } of batch) lost.foreign += readings.length;
      for (const { readings } of own) lost.foreign -= readings.length;
      const { refused } = await store.store(own, windowAt(Date.now()));
      lost.refused += refused;
    } catch (error) {
      // The same again is no harm: it is stored once.
      waiting = [...batch, ...waiting];
      count += batch.reduce((sum, { readings }) => sum + readings.length, 0);
      throw error;
    }
  }

  async function storeAll(): Promise<void> {
    try {
      while (waiting.length > 0) await storeSome();
      await storeLines();
    } catch (error) {
      log.warn({ err: error }, 'readings and lines of devices wait to be stored');
    }
    tell();
    timer = undefined;
    if ((waiting.length > 0 || !waitingLines.isEmpty()) && !isClosed) schedule();
  }

  function schedule(): void {
    timer ??= setTimeout(() => {
      working = storeAll();
    }, STORE_EVERY_MS);
  }

  const subscription = await bus.subscribe(topics.anyHostTelemetry, (message, topic) => {
    if (!isHostTelemetry.Check(message)) return log.warn({ topic }, 'not telemetry of a host');
    if (message.stored) return;
    const host = topic.split('/')[2] ?? ''; // the broker lets a host publish only under its own name
    const { generation } = message;
    for (const device of message.devices) {
      waitingLines.add({ host, generation, deviceId: device.id, lines: linesOf(message, device) });
      if (device.values.length === 0) continue;
      const readings = readingsOf(device);
      waiting.push({ host, generation, deviceId: device.id, readings });
      count += readings.length;
    }
    while (count > WAITING_LIMIT) {
      const gone = waiting.shift()?.readings.length ?? 0;
      count -= gone;
      lost.dropped += gone;
    }
    schedule();
  });
  return {
    async close() {
      isClosed = true;
      await subscription.close();
      await working;
      clearTimeout(timer);
      await storeAll();
    },
  };
}
