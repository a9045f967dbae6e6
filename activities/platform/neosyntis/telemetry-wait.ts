import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { Static } from 'typebox';
import type { DeviceWaits, Look, Seen } from '../../../db/myntrix/device-waits.ts';
import {
  type Condition,
  type Holding,
  hold,
  holdingFrom,
} from '../../../domain/myntrix/telemetry-condition.ts';
import type { ProblemKind } from '../../../domain/neosyntis/problems.ts';
import { type telemetryWait, waitTimes } from '../../../domain/neosyntis/verbs/telemetry-wait.ts';
import type { Json } from '../../../domain/wire.ts';
import type { Logger } from '../../../logs.ts';
import { verbFailure } from './outbound/failures.ts';
import type { VerbImplementation } from './verbs.ts';

/** All waits of this process look together. */
const LOOK_EVERY_MS = 500;
const LOOKS_AT_ONCE = 500;
const BEAT_EVERY_MS = 2_000;

/**
 * `telemetry.wait_for`: looks at what is stored of a device until a condition has held for long enough by the readings'
 * own times. How far it is goes along with each heartbeat: when this worker dies another one goes on from there.
 */
export function createTelemetryWait({ waits, log }: { waits: DeviceWaits; log: Logger }): VerbImplementation {
  const looker = createLooker(waits, log);

  async function deviceOf(runId: string, wanted: string) {
    if (!(await waits.mayRead(runId)))
      throw failed('authorization', 'The owner of this run may not read devices.');
    const [device, ...others] = await waits.find(wanted);
    if (!device) throw failed('configuration', `There is no device "${wanted}".`);
    if (others.length > 0)
      throw failed('configuration', `More than one device is named "${wanted}"; give the id of one.`);
    return device;
  }

  return async ({ runId, args }) => {
    const given = args as Static<typeof telemetryWait.with>; // the caller checked it against this schema
    const { timeoutMs, ...times } = waitTimes(given);
    const condition: Condition = { condition: given.condition, value: given.value, ...times };
    const { info, heartbeat, cancellationSignal: signal } = contextOf();
    const device = await deviceOf(runId, given.device);
    // Of the first attempt: the ones after it go on with the same wait.
    const beganMs = info.scheduledTimestampMs;
    let holding = heldBefore(info.heartbeatDetails) ?? holdingFrom(beganMs * 1_000);
    const beat = setInterval(() => heartbeat(holding), BEAT_EVERY_MS);
    try {
      for (;;) {
        const seen = await looker.look({ deviceId: device.id, metric: given.metric, afterUs: holding.atUs });
        signal.throwIfAborted();
        if (seen && !seen.readings)
          throw failed('runtime', `The device "${device.name}" was deleted meanwhile.`);
        for (const reading of seen?.readings ?? []) {
          const { now, isMet } = hold(holding, reading, condition);
          holding = now;
          if (isMet) return outcome(device.id, given.metric, holding);
        }
        if (Date.now() > beganMs + timeoutMs)
          throw failed('timeout', late(device.name, given, holding, timeoutMs));
      }
    } catch (error) {
      if (signal.aborted && signal.reason?.message === 'WORKER_SHUTDOWN') {
        heartbeat(holding);
        throw verbFailure({ kind: 'runtime', detail: 'the worker stopped; another one goes on' }, {});
      }
      throw error;
    } finally {
      clearInterval(beat);
    }
  };
}

function contextOf() {
  const context = Context.current();
  return {
    info: context.info,
    heartbeat: (details: unknown) => context.heartbeat(details),
    cancellationSignal: context.cancellationSignal,
  };
}

/** As an earlier attempt left it. */
function heldBefore(details: unknown): Holding | undefined {
  const held = details as Partial<Holding> | null | undefined; // our own heartbeat's, or nothing
  return typeof held?.atUs === 'number' ? (held as Holding) : undefined;
}

const iso = (us: number): string => new Date(Math.floor(us / 1_000)).toISOString();

const outcome = (
  deviceId: string,
  metric: string,
  { atUs, sinceUs, readings, lastValue }: Holding,
): Json => ({
  device_id: deviceId,
  metric,
  value: lastValue,
  timestamp: iso(atUs),
  held_since: iso(sinceUs ?? atUs),
  readings,
});

function late(
  name: string,
  { metric, condition, value }: Static<typeof telemetryWait.with>,
  { atUs, lastValue, readings }: Holding,
  timeoutMs: number,
): string {
  const seen =
    readings === 0 ? 'no reading came' : `the last of ${readings} readings was ${lastValue} at ${iso(atUs)}`;
  return `${metric} ${condition} ${value} of the device "${name}" did not hold for long enough within ${timeoutMs / 1_000} s: ${seen}.`;
}

const failed = (kind: ProblemKind, detail: string) => verbFailure({ kind, detail });

/** One question to the database for all who wait, again and again while somebody does. */
function createLooker(waits: Pick<DeviceWaits, 'look'>, log: Logger) {
  let asked: { look: Look; tell(seen: Seen | undefined): void }[] = [];
  let isLooking = false;

  async function lookOn(): Promise<void> {
    while (asked.length > 0) {
      await delay(LOOK_EVERY_MS);
      const now = asked;
      asked = [];
      for (let at = 0; at < now.length; at += LOOKS_AT_ONCE) {
        const some = now.slice(at, at + LOOKS_AT_ONCE);
        // What cannot be read now is looked at again: who waits has the time.
        const seen = await waits.look(some.map(({ look }) => look)).catch((error: unknown) => {
          log.warn({ err: error }, 'waits for telemetry cannot look');
          return [];
        });
        for (const [n, { tell }] of some.entries()) tell(seen[n]);
      }
    }
    isLooking = false;
  }

  return {
    /** What is there at the next look; nothing when it could not be read. */
    look: (look: Look): Promise<Seen | undefined> =>
      new Promise((tell) => {
        asked.push({ look, tell });
        if (isLooking) return;
        isLooking = true;
        void lookOn();
      }),
  };
}
