import { AppError } from '../../../domain/errors.ts';
import {
  DEVICE_QUEUE,
  type DeviceAnswer,
  type DeviceRequest,
} from '../../../domain/myntrix/device-commands.ts';
import { storableCopy } from '../../../domain/storable.ts';
import type { DeviceReporter } from '../reporter.ts';
import type { OwnedLive } from './live.ts';

/** What came of a request is remembered so long: the platform has recorded it, or never will. */
const KEPT_MS = 10 * 60_000;
const KEPT = 20_000;
const RESPONSE = 65_536;

type Outcome = Omit<DeviceAnswer, 'id' | 'deviceId' | 'kind' | 'isAgain'>;

export interface RequestDeps {
  of(deviceId: string): OwnedLive | undefined;
  /** @throws AppError when nothing was sent */
  stop(deviceId: string): Promise<void>;
  reporter: DeviceReporter;
  clock(): number;
}

/** Carries out what the platform asks of devices, each id once, and remembers what came of it until that is recorded. */
export function createDeviceRequests({ of, stop, reporter, clock }: RequestDeps) {
  const known = new Map<string, Known>();
  const waiting = new Map<string, number>();

  async function command({ deviceId, command: text, timeoutMs }: DeviceRequest): Promise<Outcome> {
    const live = of(deviceId);
    if (!live) return notSent('The device is not connected.');
    if (live.refusesCommands()) return notSent(`The device is busy with ${live.heldBy}.`);
    const count = waiting.get(deviceId) ?? 0;
    if (count >= DEVICE_QUEUE) return notSent(`${count} commands wait for the device already.`);
    waiting.set(deviceId, count + 1);
    try {
      const { protocol } = live;
      if (protocol.realtime && /^[?!~]$/.test(text)) {
        const sentAt = new Date().toISOString();
        await protocol.realtime(text);
        const reason = 'It acts at once, and the device answers it by its state.';
        return { state: 'unknown', isSent: true, response: null, reason, sentAt, answeredAt: null };
      }
      reporter.log(deviceId, { direction: 'out', level: 'info', line: text });
      const { state, lines, reason, sentAt, answeredAt } = await protocol.command(text, { timeoutMs });
      for (const line of lines)
        reporter.log(deviceId, { direction: 'in', level: state === 'failed' ? 'warn' : 'info', line });
      return {
        state,
        isSent: true,
        response: lines.join('\n').slice(0, RESPONSE),
        reason: reason?.slice(0, 2_000) ?? null,
        sentAt: sentAt.toISOString(),
        answeredAt: answeredAt?.toISOString() ?? null,
      };
    } catch (error) {
      return notSent(messageOf(error)); // a protocol throws before it sends, or not at all
    } finally {
      const left = (waiting.get(deviceId) ?? 1) - 1;
      if (left === 0) waiting.delete(deviceId);
      else waiting.set(deviceId, left);
    }
  }

  async function emergency({ deviceId }: DeviceRequest): Promise<Outcome> {
    try {
      await stop(deviceId);
      const sentAt = new Date().toISOString();
      const reason = 'An emergency stop has no answer.';
      return { state: 'unknown', isSent: true, response: null, reason, sentAt, answeredAt: null };
    } catch (error) {
      if (error instanceof AppError && error.code === 'timeout')
        return { ...notSent(messageOf(error)), state: 'unknown' };
      return notSent(messageOf(error));
    }
  }

  function prune(): void {
    const before = performance.now() - KEPT_MS;
    for (const [id, { at, done }] of known) {
      if (known.size <= KEPT && at > before) return;
      if (done) known.delete(id);
    }
  }

  return {
    carryOut(request: DeviceRequest): Promise<DeviceAnswer> {
      const { id, deviceId, kind } = request;
      const before = known.get(id);
      if (before) return before.answer;
      prune();
      const entry: Known = { answer: answered(), at: performance.now(), done: undefined, isRecorded: false };
      known.set(id, entry);
      return entry.answer;

      async function answered(): Promise<DeviceAnswer> {
        const found = await (clock() > request.notAfter
          ? notSent('It came to its host too late, and was not carried out.')
          : kind === 'command'
            ? command(request)
            : emergency(request));
        entry.done = { id, deviceId, kind, ...storableCopy(found), isAgain: true };
        return { ...entry.done, isAgain: false };
      }
    },
    /** Answers of which nobody has said that they are recorded. */
    unrecorded: (): DeviceAnswer[] =>
      [...known.values()].flatMap(({ done, at, isRecorded }) =>
        done && !isRecorded && performance.now() - at < KEPT_MS ? [done] : [],
      ),
    /** Their ids stay known: a request that comes twice is carried out once. */
    recorded(ids: readonly string[]): void {
      for (const id of ids) {
        const entry = known.get(id);
        if (!entry?.done) continue;
        entry.isRecorded = true;
        entry.done = { ...entry.done, response: null };
        entry.answer = Promise.resolve(entry.done);
      }
    },
  };
}

interface Known {
  answer: Promise<DeviceAnswer>;
  at: number;
  done: DeviceAnswer | undefined;
  isRecorded: boolean;
}

const notSent = (reason: string): Outcome => ({
  state: 'failed',
  isSent: false,
  response: null,
  reason: reason.slice(0, 2_000),
  sentAt: null,
  answeredAt: null,
});

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
