import { type Static, Type } from 'typebox';
import { literals } from '../wire.ts';

/** A line that a device said or was told, longer ones are cut. */
export const LOG_LINE_LENGTH = 1_000;
/** Of one message: a broker takes no more than a megabyte. */
export const MESSAGE_READINGS = 5_000;
export const MESSAGE_LINES = 300;
export const MESSAGE_DEVICES = 2_000;
/** Of each device, for who opens its page. */
export const DEVICE_LINES = 300;
/** Different names that one device has readings under. */
export const DEVICE_METRICS = 500;

export const logDirections = ['in', 'out'] as const;
export const logLevels = ['info', 'warn', 'error'] as const;

export const DeviceLog = Type.Object({
  direction: literals(logDirections),
  level: literals(logLevels),
  line: Type.String({ maxLength: LOG_LINE_LENGTH }),
  /** Milliseconds since 1970, by the host's clock. */
  at: Type.Integer({ minimum: 0 }),
});
export type DeviceLog = Static<typeof DeviceLog>;

/** A line, and what makes it the same line wherever it is read: the message that it came in, and its place in there. */
export type SourcedLine = DeviceLog & { epoch: number; seq: number; n: number };

export const DeviceState = Type.Object({
  status: Type.String({ maxLength: 40 }),
  reason: Type.Optional(Type.String({ maxLength: LOG_LINE_LENGTH })),
  /** What the device says that it is doing. */
  activity: Type.Optional(Type.String({ maxLength: 100 })),
  at: Type.Integer({ minimum: 0 }),
});
export type DeviceState = Static<typeof DeviceState>;

const numbers = (items: ReturnType<typeof Type.Integer> | ReturnType<typeof Type.Number>) =>
  Type.Array(items, { maxItems: MESSAGE_READINGS });

/**
 * What one device had within a batch. Readings are columns: number `n` is of `metrics[of[n]]`, has `values[n]`, and its
 * time is `from` plus the first `n + 1` of `steps`, in microseconds since 1970.
 */
export const DeviceTelemetry = Type.Object({
  id: Type.String({ format: 'uuid', maxLength: 36 }),
  metrics: Type.Array(Type.String({ maxLength: 200 }), { maxItems: DEVICE_METRICS }),
  from: Type.Integer({ minimum: 0 }),
  of: numbers(Type.Integer({ minimum: 0, maximum: DEVICE_METRICS })),
  steps: numbers(Type.Integer()),
  values: numbers(Type.Number()),
  logs: Type.Optional(Type.Array(DeviceLog, { maxItems: MESSAGE_LINES })),
  states: Type.Optional(Type.Array(DeviceState, { maxItems: MESSAGE_LINES })),
});
export type DeviceTelemetry = Static<typeof DeviceTelemetry>;

/** What a host sends over the bus of its devices; the host is the topic's. */
export const HostTelemetry = Type.Object({
  /** Of the lease that the host holds, as in its announcements. */
  generation: Type.Integer({ minimum: 0 }),
  /** When the one that numbers began, in milliseconds since 1970: the numbers of another begin anew. */
  epoch: Type.Integer({ minimum: 0 }),
  /** From 1, without gaps: one that is missing was lost. */
  seq: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
  /** It came by another way than from the host, and is stored: it only has to be told. */
  stored: Type.Optional(Type.Boolean()),
  devices: Type.Array(DeviceTelemetry, { maxItems: MESSAGE_DEVICES }),
});
export type HostTelemetry = Static<typeof HostTelemetry>;

export interface LiveReading {
  metric: string;
  value: number;
  /** Microseconds since 1970. */
  atUs: number;
}

/** The readings of a device's columns, in their order; what points at no name is left out. */
export function readingsOf({ metrics, from, of, steps, values }: DeviceTelemetry): LiveReading[] {
  const found: LiveReading[] = [];
  let atUs = from;
  for (let n = 0; n < values.length; n++) {
    atUs += steps[n] ?? 0;
    const metric = metrics[of[n] ?? -1];
    const value = values[n];
    if (metric !== undefined && value !== undefined) found.push({ metric, value, atUs });
  }
  return found;
}

/** The lines of a device in a message. */
export const linesOf = (
  { epoch, seq }: Pick<HostTelemetry, 'epoch' | 'seq'>,
  device: DeviceTelemetry,
): SourcedLine[] => (device.logs ?? []).map((log, n) => ({ ...log, epoch, seq, n }));
