import { Value } from 'typebox/value';
import { AppError } from '../../domain/errors.ts';
import { DeviceAnswer, type DeviceRequest } from '../../domain/myntrix/device-commands.ts';
import { DeviceReports } from '../../domain/myntrix/device-reports.ts';
import { topics } from '../../domain/names.ts';
import { HostMessage } from '../../domain/system/hosts.ts';
import type { Bus } from '../bus/port.ts';

/** A host that has said nothing for so long is away. */
const AWAY_MS = 5_000;
/** A host says something every second. */
const FIRST_MS = 3_000;
/** From here to the host; what comes later is not carried out. */
const TRANSIT_MS = 5_000;
/** An emergency stop is right for longer, and not for ever: somebody may be at work again. */
const STOP_TRANSIT_MS = 30_000;

export type HostAsker = ReturnType<typeof createHostAsker>;

/** Asks hosts over the bus to carry something out on a device of theirs. */
export function createHostAsker(bus: Bus) {
  const waiting = new Map<string, (answer: DeviceAnswer) => void>();
  const clocks = new Map<string, { clock: number; at: number; generation: number }>();
  /** Hosts that said goodbye, or that the broker lost, by their generation: nothing reaches them. */
  const gone = new Map<string, number>();
  let listening: Promise<unknown> | undefined;

  const listen = (): Promise<unknown> => {
    listening ??= Promise.all([
      bus.subscribe(topics.anyHostDeviceAnswers, (message, topic) => {
        const id = idOf(message);
        const resolve = id === undefined ? undefined : waiting.get(id);
        if (resolve && Value.Check(DeviceAnswer, message) && hostOf(topic) !== '') resolve(message);
      }),
      bus.subscribe(topics.anyHostDevices, (message, topic) => {
        if (Value.Check(DeviceReports, message))
          clocks.set(hostOf(topic), {
            clock: message.clock,
            at: performance.now(),
            generation: message.generation,
          });
      }),
      bus.subscribe(topics.anyHostStatus, (message, topic) => {
        if (!Value.Check(HostMessage, message)) return;
        if (message.status === 'offline') gone.set(hostOf(topic), message.generation);
        else gone.delete(hostOf(topic));
      }),
    ]).catch((error: unknown) => {
      listening = undefined;
      throw error;
    });
    return listening;
  };

  const ageMs = (host: string): number =>
    performance.now() - (clocks.get(host)?.at ?? Number.NEGATIVE_INFINITY);

  /** By the host's clock, and a little early: what it last said was under way for a moment. */
  const hostNow = (host: string): number => {
    const known = clocks.get(host);
    return known ? known.clock + performance.now() - known.at : Number.NaN;
  };

  async function unreachable(host: string): Promise<string | undefined> {
    try {
      await Promise.all([bus.check(), listen()]);
    } catch {
      return 'The bus cannot be reached.';
    }
    const generation = gone.get(host);
    const isGone = generation !== undefined && generation >= (clocks.get(host)?.generation ?? 0);
    return isGone ? `Host "${host}", which has the device, is not there.` : undefined;
  }

  return {
    /** To be called early: it takes a second until hosts are known. */
    listen,

    /** @throws AppError unavailable when a host has not been heard of: then nothing was sent */
    async requireHost(host: string): Promise<void> {
      let why = await unreachable(host);
      const until = performance.now() + FIRST_MS;
      while (why === undefined && !clocks.has(host) && performance.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        why = await unreachable(host);
      }
      if (ageMs(host) > AWAY_MS) why ??= `Host "${host}", which has the device, says nothing.`;
      if (why !== undefined)
        throw new AppError('unavailable', `${why} Nothing was sent.`, { retryAfterSeconds: 5 });
    },

    /** Why nothing can reach a host now, where that is certain: one that is only silent may hear it yet. */
    unreachable,

    /**
     * @param before runs right before it is sent, in the order of calls for one device
     * @returns what the host says, or nothing when it says nothing in time: then it is not known what it did
     */
    async ask(
      host: string,
      request: Omit<DeviceRequest, 'notAfter'>,
      withinMs: number,
    ): Promise<DeviceAnswer | undefined> {
      await listen();
      const isStop = request.kind === 'emergency_stop';
      const now = hostNow(host);
      // A stop goes to a host that was not heard of, too.
      const notAfter = Number.isNaN(now)
        ? Number.MAX_SAFE_INTEGER
        : now + (isStop ? STOP_TRANSIT_MS : TRANSIT_MS);
      const { promise, resolve } = Promise.withResolvers<DeviceAnswer | undefined>();
      waiting.set(request.id, resolve);
      const timer = setTimeout(() => resolve(undefined), withinMs);
      try {
        bus.publish(topics.hostDeviceRequests(host), { ...request, notAfter });
        return await promise;
      } finally {
        clearTimeout(timer);
        waiting.delete(request.id);
      }
    },

    /** What the host said is recorded: it need not say it again. */
    receipt: (host: string, id: string): void => bus.publish(topics.hostDeviceReceipts(host), { ids: [id] }),
  };
}

const hostOf = (topic: string): string => topic.split('/')[2] ?? '';

const idOf = (message: unknown): string | undefined =>
  typeof message === 'object' && message !== null && 'id' in message && typeof message.id === 'string'
    ? message.id
    : undefined;
