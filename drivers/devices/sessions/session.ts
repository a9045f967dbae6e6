import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '../../../domain/errors.ts';
import type { DeviceAddress } from '../../../domain/myntrix/device-address.ts';
import { reconnectOf } from '../../../domain/myntrix/device-configuration.ts';
import type { DeviceOrder } from '../../../domain/myntrix/device-reports.ts';
import type { DeviceMeans } from '../connection.ts';
import type { DeviceReporter } from '../reporter.ts';
import type { OpenTransport } from './connect.ts';
import { holdConnection, type Ways } from './hold.ts';
import type { DeviceEnd } from './port.ts';
import { createSessionStatus } from './status.ts';

/** A connection that lasted so long was a good one: the next pause is a short one again. */
const GOOD_MS = 30_000;
/** An emergency stop has this long to get its bytes to the port. */
const STOP_MS = 2_000;

export interface SessionOptions {
  open: OpenTransport;
  means: DeviceMeans;
  reporter: DeviceReporter;
  /** Something besides `lastSeen` changed. */
  changed(): void;
}

export type DeviceSession = ReturnType<typeof startDeviceSession>;

/** Holds one device for one order: connects, connects again, and says how it is, until it is ended. */
export function startDeviceSession(order: DeviceOrder, { open, means, reporter, changed }: SessionOptions) {
  const stopping = new AbortController();
  const { initialMs, maxMs, factor } = reconnectOf(order.configuration);
  const status = createSessionStatus(order, reporter, changed);
  const { set, say } = status;
  const ways: Ways = { current: undefined, live: undefined, stoppable: undefined };
  let lending: { what: string; over: Promise<void> } | undefined;

  /** Before everything else. Nothing is done by itself after it until the device is connected anew by an order. */
  async function emergencyStop(): Promise<void> {
    const way = ways.stoppable;
    if (!way)
      throw new AppError(
        'unavailable',
        lending
          ? `the port of "${order.name}" is with ${lending.what}`
          : `there is no connection to "${order.name}" now${status.now().reason === null ? '' : ` (${status.now().reason})`}`,
      );
    try {
      await within(STOP_MS, way.emergencyStop()); // begins in the same turn: nothing comes before it
    } catch (error) {
      const hasNone = error instanceof AppError && error.code === 'conflict';
      if (!hasNone) afterStop(`was asked for, and the port did not take it (${messageOf(error)})`);
      throw error;
    }
    afterStop('was sent');
  }

  function afterStop(what: string): void {
    reporter.log(order.id, { direction: 'out', level: 'warn', line: `an emergency stop ${what}` });
    set({
      status: 'connecting',
      reason: `an emergency stop ${what}; connecting again`,
      emergencyNote: `An emergency stop ${what} at ${new Date().toISOString()}. The device is connected to again without onConnect; a new connect clears this.`,
    });
    ways.stoppable = undefined;
    ways.live = undefined;
    ways.current?.finish({ kind: 'emergency', reason: `an emergency stop ${what}` });
  }

  async function run(): Promise<DeviceEnd> {
    let pauseMs = initialMs;
    while (!stopping.signal.aborted) {
      const startedAt = performance.now();
      try {
        const end = await holdConnection(order, ways, {
          open,
          means,
          reporter,
          status,
          signal: stopping.signal,
          emergencyStop,
        });
        if (end.kind !== 'closed') say('connecting', `${end.reason}; connecting again`);
        if (performance.now() - startedAt > GOOD_MS) pauseMs = initialMs;
      } catch (error) {
        ways.stoppable = undefined; // what was opened for it is closed
        if (stopping.signal.aborted) break;
        const reason = messageOf(error);
        if (error instanceof AppError && error.code === 'invalid') {
          say('error', reason);
          return { kind: 'error', reason };
        }
        say('error', reason);
      }
      if (lending) {
        await lending.over;
        continue;
      }
      await pause(pauseMs);
      pauseMs = Math.min(maxMs, pauseMs * factor);
    }
    say('disconnected', null);
    return { kind: 'disconnected' };
  }

  async function pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: stopping.signal }).catch(() => {});
  }

  const ended = run();
  ended.catch(() => {}); // whoever holds it is told
  return {
    order,
    ended,
    live: () => ways.live,
    emergencyStop,
    report: status.report,
    /** Closes the connection. Resolves when the port is free. */
    async end(): Promise<void> {
      stopping.abort();
      await ended;
    },
    /** Lets another program have the port. */
    async lend<T>(what: string, work: (address: DeviceAddress) => Promise<T>): Promise<T> {
      const given = ways.live;
      if (!given) throw new AppError('unavailable', `The device "${order.name}" is not connected.`);
      if (given.heldBy !== undefined)
        throw new AppError('conflict', `The device "${order.name}" is busy with ${given.heldBy}.`);
      const over = Promise.withResolvers<void>();
      lending = { what, over: over.promise };
      try {
        given.finish({ kind: 'lost', reason: `The port is with ${what}` });
        await given.transport.close();
        return await work(given.address);
      } finally {
        lending = undefined;
        over.resolve();
      }
    },
  };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function within(ms: number, work: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new AppError('timeout', `the port took no bytes within ${ms} ms`)),
    ms,
  );
  try {
    await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
