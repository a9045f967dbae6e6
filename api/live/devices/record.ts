import type { View } from '../../../domain/myntrix/device-frames.ts';
import {
  DEVICE_LINES,
  type DeviceLog,
  type DeviceState,
  type LiveReading,
  type SourcedLine,
} from '../../../domain/myntrix/host-telemetry.ts';

/** Something new of a device, with its number. */
export type Delta =
  | { seq: number; kind: 'telemetry'; readings: readonly LiveReading[] }
  | { seq: number; kind: 'log'; log: SourcedLine }
  | { seq: number; kind: 'state'; state: DeviceState };

export type News =
  | Omit<Extract<Delta, { kind: 'telemetry' }>, 'seq'>
  | Omit<Extract<Delta, { kind: 'log' }>, 'seq'>
  | Omit<Extract<Delta, { kind: 'state' }>, 'seq'>;

/** The newest of everything after a number. */
export interface Digest {
  readings: readonly LiveReading[];
  logs: readonly DeviceLog[];
  /** There were more lines. */
  isCut: boolean;
  state: DeviceState | undefined;
}

/** What a client that comes again can be told after all: some ten seconds of a busy device. */
const KEPT_DELTAS = 600;
const KEPT_READINGS = 30_000;
/** Lines in one frame for who was slow. */
const DIGEST_LINES = 100;
const METRICS = 1_000;

const keyOf = ({ epoch, seq, n }: SourcedLine): string => `${epoch} ${seq} ${n}`;

/** What a device said lately, numbered from `base` on, and what of each metric it said last. All of it is bounded. */
export function createDeviceRecord(base: number) {
  const latest = new Map<string, LiveReading & { seq: number }>();
  const deltas: Delta[] = [];
  const lines: { seq: number; log: SourcedLine }[] = [];
  const known = new Set<string>();
  let kept = 0;
  /** Lines up to this number were let go. */
  let cutAt = 0;
  let state: { seq: number; state: DeviceState } | undefined;
  let seq = base;

  const weight = (delta: Delta): number => (delta.kind === 'telemetry' ? delta.readings.length : 1);

  function note(delta: Delta): void {
    if (delta.kind === 'state') state = { seq: delta.seq, state: delta.state };
    else if (delta.kind === 'log') {
      lines.push({ seq: delta.seq, log: delta.log });
      known.add(keyOf(delta.log));
      const gone = lines.length > DEVICE_LINES ? lines.shift() : undefined;
      if (gone) {
        cutAt = gone.seq;
        known.delete(keyOf(gone.log));
      }
    } else
      for (const reading of delta.readings) {
        const before = latest.get(reading.metric);
        if (before ? before.atUs <= reading.atUs : latest.size < METRICS)
          latest.set(reading.metric, { ...reading, seq: delta.seq });
      }
  }

  return {
    seq: () => seq,

    add(news: News): Delta {
      const delta: Delta = { ...news, seq: ++seq };
      note(delta);
      deltas.push(delta);
      kept += weight(delta);
      while (deltas.length > KEPT_DELTAS || (kept > KEPT_READINGS && deltas.length > 1)) {
        const gone = deltas.shift();
        if (gone) kept -= weight(gone);
      }
      return delta;
    },

    /** What was told from elsewhere: readings that are newer than those known here. */
    newer: (readings: readonly LiveReading[]): LiveReading[] =>
      readings.filter(({ metric, atUs }) => (latest.get(metric)?.atUs ?? -1) < atUs),

    /** What is known without being news to anybody. */
    learn(readings: readonly LiveReading[]): void {
      note({ seq, kind: 'telemetry', readings: this.newer(readings) });
    },

    /** The same of lines: those of the store, which may have some that were told meanwhile. */
    learnLines(stored: readonly SourcedLine[]): void {
      const room = DEVICE_LINES - lines.length;
      const before = room > 0 ? this.newLines(stored).slice(-room) : [];
      lines.unshift(...before.map((log) => ({ seq: base, log })));
      for (const log of before) known.add(keyOf(log));
    },

    /** Those that are not known here. */
    newLines: (given: readonly SourcedLine[]): SourcedLine[] => given.filter((log) => !known.has(keyOf(log))),

    /** The newest lines, oldest first. */
    lines: (): DeviceLog[] => lines.map(({ log }) => log),

    /** All after a number, or nothing when some of it is not kept any more, or was never here. */
    after(last: number): Delta[] | undefined {
      const first = deltas[0]?.seq ?? seq + 1;
      return last >= first - 1 && last <= seq ? deltas.slice(last - first + 1) : undefined;
    },

    latest: (wants: (metric: string) => boolean): LiveReading[] =>
      [...latest.values()].filter(({ metric }) => wants(metric)),

    state: () => state?.state,

    /** The newest value of each metric, the lines and the state from a number on. */
    digest(from: number, view: View, wants: (metric: string) => boolean): Digest {
      const news = view.logs ? lines.filter((line) => line.seq >= from) : [];
      return {
        readings: [...latest.values()].filter((one) => one.seq >= from && wants(one.metric)),
        logs: news.slice(-DIGEST_LINES).map(({ log }) => log),
        isCut: news.length > DIGEST_LINES || (view.logs && cutAt >= from),
        state: state && state.seq >= from ? state.state : undefined,
      };
    },
  };
}

export type DeviceRecord = ReturnType<typeof createDeviceRecord>;
