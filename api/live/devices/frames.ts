import type { DeviceLog, DeviceState, LiveReading } from '../../../domain/myntrix/host-telemetry.ts';
import type { Delta, Digest } from './record.ts';

/** Frames as they go over the wire, made once for all who want the same. */

const iso = (ms: number): string => new Date(ms).toISOString();

const shownReading = ({ metric, value, atUs }: LiveReading) => ({
  metric,
  value,
  timestamp: iso(Math.floor(atUs / 1_000)),
});

const shownLog = ({ at, level, line, direction }: DeviceLog) => ({
  level,
  line,
  direction,
  timestamp: iso(at),
});

const shownState = ({ at, ...state }: DeviceState) => ({ ...state, timestamp: iso(at) });

const bytes = (frame: object): Buffer => Buffer.from(JSON.stringify(frame));

/** One delta, or nothing when it holds nothing of what is wanted. */
export function deltaFrame(
  delta: Delta,
  { from, logs, wants }: { from: number; logs: boolean; wants: ((metric: string) => boolean) | undefined },
): Buffer | undefined {
  const { seq } = delta;
  const numbers = from === seq ? { seq } : { seq, from_seq: from };
  if (delta.kind === 'log')
    return logs ? bytes({ type: 'log', ...numbers, ...shownLog(delta.log) }) : undefined;
  if (delta.kind === 'state') return bytes({ type: 'state', ...numbers, ...shownState(delta.state) });
  const readings = wants ? delta.readings.filter(({ metric }) => wants(metric)) : delta.readings;
  if (readings.length === 0) return undefined;
  return bytes({ type: 'telemetry', ...numbers, readings: readings.map(shownReading) });
}

/** The newest of several deltas in one frame, or nothing when there is nothing in it. */
export function digestFrame(
  from: number,
  to: number,
  { readings, logs, isCut, state }: Digest,
): Buffer | undefined {
  if (readings.length === 0 && logs.length === 0 && !state) return undefined;
  return bytes({
    type: 'telemetry',
    seq: to,
    from_seq: from,
    to_seq: to,
    readings: readings.map(shownReading),
    ...(logs.length > 0 ? { logs: logs.map(shownLog) } : {}),
    ...(isCut ? { logs_cut: true } : {}),
    ...(state ? { state: shownState(state) } : {}),
  });
}

/** What is known now; `logs` are the newest lines for who wants any. */
export const snapshotFrame = (
  seq: number,
  {
    device,
    readings,
    logs,
    isGap,
  }: {
    device: object;
    readings: readonly LiveReading[];
    logs: readonly DeviceLog[] | undefined;
    isGap: boolean;
  },
): Buffer =>
  bytes({
    type: 'snapshot',
    seq,
    device,
    latest: Object.fromEntries(
      readings.map(({ metric, value, atUs }) => [
        metric,
        { value, timestamp: iso(Math.floor(atUs / 1_000)) },
      ]),
    ),
    ...(logs ? { logs: logs.map(shownLog) } : {}),
    ...(isGap ? { gap: true } : {}),
  });
