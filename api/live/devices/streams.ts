import { randomInt } from 'node:crypto';
import { Compile } from 'typebox/compile';
import type { DeviceLineStore } from '../../../db/myntrix/device-lines.ts';
import type { DeviceTelemetryStore } from '../../../db/myntrix/device-telemetry.ts';
import type { DeviceRepository } from '../../../db/myntrix/devices.ts';
import { AppError } from '../../../domain/errors.ts';
import type { Device } from '../../../domain/myntrix/devices.ts';
import {
  HostTelemetry,
  type LiveReading,
  linesOf,
  readingsOf,
} from '../../../domain/myntrix/host-telemetry.ts';
import { topics } from '../../../domain/names.ts';
import type { Json } from '../../../domain/wire.ts';
import type { Bus, Subscription } from '../../../drivers/bus/port.ts';
import type { Logger } from '../../../logs.ts';
import type { Connection } from '../../http/socket.ts';
import { every } from '../every.ts';
import { createDeviceFeed, type DeviceFeed, type Member } from './feed.ts';
import { createDeviceRecord, type DeviceRecord } from './record.ts';

/** Rows of what is watched are compared this often: for changes of state, and for what the bus lost. */
const COMPARE_MS = 1_000;
/** A device is listened to for so long after the last watcher has left, who may come again. */
const KEEP_MS = 30_000;
/** Lines are stored about half a second after they were said, or somewhat later. */
const LATE_LINES_MS = 10_000;
/** Those that number messages of one host: lives of the host, and gateways that send through an API. */
const SOURCES = 1_000;

const isHostTelemetry = Compile(HostTelemetry);

interface Watched {
  device: Device;
  record: DeviceRecord;
  feed: DeviceFeed;
  leftAt: number;
  /** What the store knew and nobody had told, the last time that it was compared. */
  untold: readonly LiveReading[];
  /** Until when the store may have lines that were not heard: of just before, or that the bus lost. */
  linesUntil: number;
}

interface Listening {
  ids: Set<string>;
  /** The newest number of each one that numbers. */
  sources: Map<number, number>;
  subscription: Promise<Subscription>;
}

export interface DeviceStreamDeps {
  bus: Bus;
  devices: Pick<DeviceRepository, 'get'>;
  telemetry: Pick<DeviceTelemetryStore, 'latest'>;
  lines: Pick<DeviceLineStore, 'last'>;
  log: Logger;
}

export type DeviceStreams = ReturnType<typeof createDeviceStreams>;

/** Devices to those who watch them: one bus subscription for each host of a device that somebody watches. */
export function createDeviceStreams({ bus, devices, telemetry, lines, log }: DeviceStreamDeps) {
  const watched = new Map<string, Promise<Watched>>();
  /** Those that are there, for what cannot wait. */
  const ready = new Map<string, Watched>();
  const listening = new Map<string, Listening>();

  function heard(host: string, message: Json): void {
    const known = listening.get(host);
    if (!known || !isHostTelemetry.Check(message)) return;
    const last = known.sources.get(message.epoch);
    if (last !== undefined && message.seq <= last) return; // it was here already
    known.sources.set(message.epoch, message.seq);
    if (known.sources.size > SOURCES) known.sources.delete(known.sources.keys().next().value ?? 0);
    if (last !== undefined && message.seq > last + 1) for (const id of known.ids) missed(ready.get(id));
    for (const device of message.devices) {
      const one = known.ids.has(device.id) ? ready.get(device.id) : undefined;
      if (!one) continue;
      const readings = readingsOf(device);
      if (readings.length > 0) one.feed.add({ kind: 'telemetry', readings });
      for (const log of one.record.newLines(linesOf(message, device))) one.feed.add({ kind: 'log', log });
      for (const state of device.states ?? []) one.feed.add({ kind: 'state', state });
    }
  }

  function missed(one: Watched | undefined): void {
    if (!one) return;
    one.linesUntil = performance.now() + LATE_LINES_MS;
    one.feed.renew();
  }

  async function listen(host: string, id: string): Promise<void> {
    const known = listening.get(host);
    if (known) {
      known.ids.add(id);
      await known.subscription;
      return;
    }
    const subscription = bus.subscribe(topics.hostTelemetry(host), (message) => heard(host, message));
    listening.set(host, { ids: new Set([id]), sources: new Map(), subscription });
    await subscription.catch((error: unknown) => {
      listening.delete(host);
      throw error;
    });
  }

  async function ignore(host: string, id: string): Promise<void> {
    const known = listening.get(host);
    known?.ids.delete(id);
    if (!known || known.ids.size > 0) return;
    listening.delete(host);
    await (await known.subscription).close();
  }

  async function begin(id: string): Promise<Watched> {
    const device = await devices.get(id);
    // Other numbers than those of any other process, and of an earlier time: nobody goes on in the wrong place.
    const record = createDeviceRecord(randomInt(2 ** 47));
    const one: Watched = {
      device,
      record,
      feed: createDeviceFeed({ record, device: () => one.device }),
      leftAt: performance.now(),
      untold: [],
      linesUntil: performance.now() + LATE_LINES_MS,
    };
    ready.set(id, one);
    await listen(device.host, id);
    record.learn(await telemetry.latest(id));
    record.learnLines(await lines.last(id));
    return one;
  }

  function watch(id: string): Promise<Watched> {
    const known = watched.get(id);
    if (known) return known;
    const made = begin(id);
    watched.set(id, made);
    made.catch(() => {
      watched.delete(id);
      ready.delete(id);
    });
    return made;
  }

  async function end(id: string, { device, feed }: Watched): Promise<void> {
    watched.delete(id);
    ready.delete(id);
    feed.close();
    await ignore(device.host, id);
  }

  /** What the row and the store say, and nobody told: the host was lost, or the bus lost a message. */
  async function compare(id: string, one: Watched): Promise<void> {
    const before = one.device;
    one.device = await devices.get(id);
    const { host, status, statusReason } = one.device;
    if (host !== before.host) {
      await ignore(before.host, id);
      await listen(host, id);
      missed(one);
    }
    if (status !== before.status && status !== one.record.state()?.status)
      one.feed.add({
        kind: 'state',
        state: { status, at: Date.now(), ...(statusReason === null ? {} : { reason: statusReason }) },
      });
    // Twice: what is on its way over the bus is not told by us as well.
    const untold = one.record.newer(await telemetry.latest(id));
    const readings = untold.filter(({ metric, atUs }) =>
      one.untold.some((before) => before.metric === metric && before.atUs === atUs),
    );
    one.untold = untold;
    if (readings.length > 0) one.feed.add({ kind: 'telemetry', readings });
    if (performance.now() > one.linesUntil) return;
    for (const log of one.record.newLines(await lines.last(id))) one.feed.add({ kind: 'log', log });
  }

  async function compareAll(): Promise<void> {
    for (const [id, one] of [...ready]) {
      if (!watched.has(id)) continue;
      if (one.feed.count() > 0) one.leftAt = performance.now();
      else if (performance.now() > one.leftAt + KEEP_MS) {
        await end(id, one);
        continue;
      }
      try {
        await compare(id, one);
      } catch (error) {
        if (!(error instanceof AppError && error.code === 'not_found')) throw error;
        one.feed.gone();
        await end(id, one);
      }
    }
  }
  const comparing = every(COMPARE_MS, compareAll, (error) =>
    log.warn({ err: error }, 'watched devices could not be compared'),
  );

  return {
    /** Tells a connection of a device until it is closed. @throws AppError `not_found` */
    async follow(id: string, after: number | undefined, connection: Connection): Promise<Member> {
      const { feed } = await watch(id);
      const member = feed.join(
        {
          sendText: connection.sendText,
          waitingBytes: connection.waitingBytes,
          gone: () => connection.close(1000, 'the device was deleted'),
        },
        after,
      );
      connection.onClosed(member.leave);
      return member;
    },
    close(): void {
      comparing.stop();
      for (const { feed } of ready.values()) feed.close();
    },
  };
}
