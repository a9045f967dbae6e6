import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '../../../domain/errors.ts';
import type { DeviceAddress } from '../../../domain/myntrix/device-address.ts';
import { reconnectOf } from '../../../domain/myntrix/device-configuration.ts';
import type { DeviceOrder } from '../../../domain/myntrix/device-reports.ts';
import type { DeviceMeans } from '../connection.ts';
import type { DeviceReporter } from '../reporter.ts';
import { keepSettings } from '../settings/keep.ts';
import { connectDevice, type OpenTransport } from './connect.ts';
import { createLive, type OwnedLive } from './live.ts';
import type { DeviceEnd, LiveEnd } from './port.ts';
import { type SettledIn, settleIn } from './settle-in.ts';
import { watchSilence } from './silence.ts';
import { createSessionStatus } from './status.ts';
import { tellOf } from './telling.ts';

/** A connection that lasted so long was a good one: the next pause is a short one again. */
const GOOD_MS = 30_000;
/** An emergency stop has this long to get its bytes to the port. */
const STOP_MS = 2_000;
/** What a device that talks by itself may be silent before one is told. */
const SILENT_MS = 10_000;

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
  /** The connection under way, and the one that others may use: it has been told all that it is told first. */
  let current: OwnedLive | undefined;
  let live: OwnedLive | undefined;
  /** Has a way to the device before it has said who it is. */
  let stoppable: { emergencyStop(): Promise<void> } | undefined;
  let lending: { what: string; over: Promise<void> } | undefined;

  /** Before everything else. Nothing is done by itself after it until the device is connected anew by an order. */
  async function emergencyStop(): Promise<void> {
    const way = stoppable;
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
    stoppable = undefined;
    live = undefined;
    current?.finish({ kind: 'emergency', reason: `an emergency stop ${what}` });
  }

  /** One connection, from its first byte to its end. @throws what `connectDevice` does */
  async function once(): Promise<LiveEnd> {
    const connection = await connectDevice(order, {
      open,
      means,
      signal: stopping.signal,
      onHeard: status.heard,
      onProtocol: (protocol) => {
        stoppable = protocol;
      },
    });
    const { transport, protocol, identity } = connection;
    const mine = createLive(order, connection, {
      stop: emergencyStop,
      onEvent: (event) => {
        tell(event);
        if (event.kind !== 'reset' || live !== mine) return;
        void tellFirst(true).then((settled) => settled && set({ safety: settled.safety }));
      },
    });
    const tell = tellOf(order.id, reporter, {
      say: (reason) => void (live === mine && say('connected', reason)),
    });
    const over = new AbortController();
    void mine.ended.then(() => over.abort());
    /** Nothing once the connection is over, however long the work would take. */
    const whileOpen = <T>(work: Promise<T>): Promise<T | undefined> =>
      Promise.race([work, mine.ended.then(() => undefined)]);
    /** What it forgets when it starts anew; what could move something is sent when an order connects it, and not again. */
    const tellFirst = async (isAgain: boolean): Promise<SettledIn | undefined> => {
      const isCalm = isAgain || status.now().emergencyNote !== null;
      const settled = await whileOpen(settleIn(mine.protocol, identity, order.configuration, isCalm));
      if (!settled || status.now().emergencyNote !== null) return settled;
      // Nothing of it moves something; a controller that started anew has forgotten it.
      const unset = await whileOpen(
        keepSettings(order.id, mine.protocol, means.settings, over.signal, {
          isHeld: () => mine.heldBy !== undefined,
          tellLate: (problem) => {
            const { status: is, reason } = status.now();
            if (live === mine && is === 'connected' && !reason?.includes(problem))
              say(is, reason === null ? problem : `${reason}; ${problem}`);
          },
        }),
      );
      if (over.signal.aborted) return undefined;
      const problems = [settled.problem, unset].filter((one) => one !== undefined);
      return problems.length === 0 ? settled : { ...settled, problem: problems.join('; ') };
    };
    const abort = () => mine.finish({ kind: 'closed' });
    stopping.signal.addEventListener('abort', abort, { once: true });
    void transport.ended.then((end) => mine.finish(end));
    if (stopping.signal.aborted) abort();
    current = mine;
    let watch: ReturnType<typeof watchSilence> | undefined;
    try {
      const settled = await tellFirst(false);
      if (settled) {
        live = mine;
        set({
          status: 'connected',
          reason: settled.problem ?? null,
          safety: settled.safety,
          protocol: protocol.name,
          firmwareName: identity.firmwareName?.slice(0, 200) ?? null,
          firmwareVersion: identity.firmwareVersion?.slice(0, 200) ?? null,
          mocked: transport.mocked,
        });
      }
      const { reportSeconds = 1 } = order.configuration;
      const reports = identity.details['Cap:AUTOREPORT_TEMP'] === '1' && reportSeconds > 0;
      if (protocol.name === 'grbl' || reports)
        watch = watchSilence(
          SILENT_MS + reportSeconds * 1_000,
          status.lastSeen,
          (silence) => live === mine && say(silence === undefined ? 'connected' : 'error', silence ?? null),
        );
      return await mine.ended;
    } finally {
      watch?.stop();
      stopping.signal.removeEventListener('abort', abort);
      live = undefined;
      current = undefined;
      stoppable = undefined;
      mine.finish({ kind: 'closed' });
      protocol.close();
      await transport.close();
    }
  }

  async function run(): Promise<DeviceEnd> {
    let pauseMs = initialMs;
    while (!stopping.signal.aborted) {
      const startedAt = performance.now();
      try {
        const end = await once();
        if (end.kind !== 'closed') say('connecting', `${end.reason}; connecting again`);
        if (performance.now() - startedAt > GOOD_MS) pauseMs = initialMs;
      } catch (error) {
        stoppable = undefined; // what was opened for it is closed
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
    live: () => live,
    emergencyStop,
    report: status.report,
    /** Closes the connection. Resolves when the port is free. */
    async end(): Promise<void> {
      stopping.abort();
      await ended;
    },
    /** Lets another program have the port. */
    async lend<T>(what: string, work: (address: DeviceAddress) => Promise<T>): Promise<T> {
      const given = live;
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
