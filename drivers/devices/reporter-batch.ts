import {
  DEVICE_METRICS,
  type DeviceLog,
  type DeviceState,
  type DeviceTelemetry,
  LOG_LINE_LENGTH,
  MESSAGE_DEVICES,
  MESSAGE_LINES,
  MESSAGE_READINGS,
} from '../../domain/myntrix/host-telemetry.ts';
import { storableText } from '../../domain/storable.ts';

/** About what these take as text. */
const READING_BYTES = 40;
const LINE_BYTES = 100;

interface Gathered {
  telemetry: DeviceTelemetry;
  indexes: Map<string, number>;
  lastUs: number;
}

/** What devices have said since the last message, in columns, and within the limits of a message. */
export function createReporterBatch() {
  const devices = new Map<string, Gathered>();
  let readings = 0;
  let lines = 0;
  let bytes = 0;

  function of(id: string): Gathered | undefined {
    const known = devices.get(id);
    if (known || devices.size >= MESSAGE_DEVICES) return known;
    const telemetry = { id, metrics: [], from: 0, of: [], steps: [], values: [] };
    const made = { telemetry, indexes: new Map(), lastUs: 0 };
    devices.set(id, made);
    return made;
  }

  const line = <Line extends object>(list: Line[], one: Line, text: string | undefined): void => {
    list.push(one);
    lines++;
    bytes += LINE_BYTES + (text?.length ?? 0);
  };

  return {
    isEmpty: () => devices.size === 0,
    /** Nothing more fits in for sure: send it. */
    isFull: () => readings >= MESSAGE_READINGS || lines >= MESSAGE_LINES || devices.size >= MESSAGE_DEVICES,
    bytes: () => bytes,
    readings: () => readings,
    telemetry: (): DeviceTelemetry[] => [...devices.values()].map(({ telemetry }) => telemetry),

    /** @returns whether it was taken */
    reading(id: string, metric: string, value: number, atUs: number): boolean {
      const device = of(id);
      if (!device) return false;
      const { telemetry, indexes } = device;
      let index = indexes.get(metric);
      if (index === undefined) {
        if (telemetry.metrics.length >= DEVICE_METRICS) return false;
        index = telemetry.metrics.push(metric) - 1;
        indexes.set(metric, index);
        bytes += metric.length;
      }
      if (telemetry.values.length === 0) device.lastUs = telemetry.from = atUs;
      telemetry.of.push(index);
      telemetry.steps.push(atUs - device.lastUs);
      telemetry.values.push(value);
      device.lastUs = atUs;
      readings++;
      bytes += READING_BYTES;
      return true;
    },
    log(id: string, log: DeviceLog): void {
      const device = of(id)?.telemetry;
      if (!device) return;
      device.logs ??= [];
      line(device.logs, { ...log, line: cut(log.line, LOG_LINE_LENGTH) }, log.line);
    },
    state(id: string, { status, reason, activity, at }: DeviceState): void {
      const device = of(id)?.telemetry;
      if (!device) return;
      device.states ??= [];
      const state: DeviceState = { status: cut(status, 40), at };
      if (reason !== undefined) state.reason = cut(reason, LOG_LINE_LENGTH);
      if (activity !== undefined) state.activity = cut(activity, 100);
      line(device.states, state, reason);
    },
  };
}

export type ReporterBatch = ReturnType<typeof createReporterBatch>;

/** Cut text is still well formed: PostgreSQL takes no half of a surrogate pair. */
const cut = (text: string, length: number): string => storableText(text.slice(0, length));
