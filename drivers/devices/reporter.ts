import type { DeviceLog, HostTelemetry } from '../../domain/myntrix/host-telemetry.ts';
import { topics } from '../../domain/names.ts';
import { METRIC_PATTERN } from '../../domain/neosyntis/telemetry-limits.ts';
import type { Bus } from '../bus/port.ts';
import { createReporterBatch } from './reporter-batch.ts';

/** Tells those who watch, and what keeps it, what devices say. It never throws, and never makes anybody wait. */
export interface DeviceReporter {
  /**
   * Without a `timestamp` it is now, to the microsecond: a metric has one value at a time, so readings that come faster
   * than one a millisecond are told without.
   */
  readings(deviceId: string, readings: readonly ReportedReading[]): void;
  log(deviceId: string, log: Omit<DeviceLog, 'at'>): void;
  /** `status` as in the device's row; `activity` is what the device says that it is doing. */
  state(deviceId: string, state: { status: string; reason?: string; activity?: string }): void;
}

export interface ReportedReading {
  metric: string;
  value: number;
  timestamp?: Date;
}

/** A reporter that has somewhere to report to, for as long as a connection lasts. */
export interface ConnectedReporter extends DeviceReporter {
  /** What was gathered while there was no connection goes first. @returns ends it; gathering goes on */
  connect(way: { bus: Pick<Bus, 'publish' | 'check'>; host: string; generation: number }): () => void;
  /** Readings and lines that had no room. */
  dropped(): number;
  /** Nothing is gathered any more. */
  close(): void;
}

const BATCH_MS = 30;
/** What waits for a connection: some minutes of a busy printer. The oldest goes first. */
const BACKLOG_BYTES = 2 * 1024 * 1024;
/** Names that were made to fit. */
const NAMES = 5_000;

type Message = Omit<HostTelemetry, 'generation'>;

/** Gathers what devices say, and sends it in one message every 30 ms; the first after a silence goes at once. */
export function createDeviceReporter(epoch = Date.now()): ConnectedReporter {
  const names = new Map<string, string>();
  const backlog: { message: Message; bytes: number; items: number }[] = [];
  let backlogBytes = 0;
  let batch = createReporterBatch();
  let timer: NodeJS.Timeout | undefined;
  let sentAt = 0;
  let seq = 0;
  let lastUs = 0;
  let dropped = 0;
  let isClosed = false;
  let way: Parameters<ConnectedReporter['connect']>[0] | undefined;

  /** The time now; no two are the same. */
  function nowUs(): number {
    lastUs = Math.max(Date.now() * 1_000, lastUs + 1);
    return lastUs;
  }

  function seal(): void {
    clearTimeout(timer);
    timer = undefined;
    if (batch.isEmpty()) return;
    const message = { epoch, seq: ++seq, devices: batch.telemetry() };
    const [bytes, items] = [batch.bytes(), batch.readings()];
    batch = createReporterBatch();
    backlog.push({ message, bytes, items });
    backlogBytes += bytes;
    while (backlogBytes > BACKLOG_BYTES && backlog.length > 1) {
      const lost = backlog.shift();
      backlogBytes -= lost?.bytes ?? 0;
      dropped += lost?.items ?? 0;
    }
  }

  function send(): void {
    sentAt = performance.now();
    seal();
    const { bus, host, generation } = way ?? {};
    if (!bus || host === undefined || generation === undefined) return;
    void bus.check().then(
      () => {
        backlogBytes = 0;
        for (const { message } of backlog.splice(0))
          bus.publish(topics.hostTelemetry(host), { generation, ...message });
      },
      () => {}, // no connection: it waits for one
    );
  }

  /** After something was gathered. */
  function gathered(): void {
    if (batch.isFull()) send();
    else schedule();
  }

  function schedule(): void {
    if (timer) return;
    const dueMs = Math.max(0, sentAt + BATCH_MS - performance.now());
    timer = setTimeout(send, dueMs);
  }

  function nameOf(metric: string): string {
    const known = names.get(metric);
    if (known !== undefined) return known;
    if (names.size >= NAMES) names.clear();
    const name = fitting(metric);
    names.set(metric, name);
    return name;
  }

  return {
    readings(id, readings) {
      if (isClosed) return;
      for (const { metric, value, timestamp } of readings) {
        if (!Number.isFinite(value)) continue; // no measurement
        const atUs = timestamp ? timestamp.getTime() * 1_000 : nowUs();
        if (!Number.isFinite(atUs) || !batch.reading(id, nameOf(metric), value, atUs)) dropped++;
        gathered();
      }
    },
    log(id, log) {
      if (isClosed) return;
      batch.log(id, { ...log, at: Date.now() });
      gathered();
    },
    state(id, state) {
      if (isClosed) return;
      batch.state(id, { ...state, at: Date.now() });
      gathered();
    },
    connect(next) {
      way = next;
      send();
      return () => {
        if (way !== next) return;
        send();
        way = undefined;
      };
    },
    dropped: () => dropped,
    close() {
      send();
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

const metricName = new RegExp(METRIC_PATTERN);

/** A device may name its values as it likes; what no metric may be named with becomes `_`. */
function fitting(metric: string): string {
  if (metricName.test(metric)) return metric;
  const name = metric.slice(0, 199).replaceAll(/[^A-Za-z0-9_.:/%-]/gu, '_');
  return metricName.test(name) ? name : `_${name}`;
}
