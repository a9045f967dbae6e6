import { everything, type View, viewKey } from '../../../domain/myntrix/device-frames.ts';
import { deltaFrame, digestFrame, snapshotFrame } from './frames.ts';
import type { Delta, DeviceRecord, News } from './record.ts';

/** Somebody who watches, as far as the feed has to do with them. */
export interface Watcher {
  sendText(frame: Buffer): void;
  /** Bytes that wait to be taken by the network. */
  waitingBytes(): number;
  /** The device is no more. */
  gone(): void;
}

export interface Member {
  /** Another view, and a snapshot of it. */
  turn(view: View): void;
  leave(): void;
}

/** Who has more than this before them is sent nothing until they have caught up, and then the newest alone. */
const BEHIND_BYTES = 64 * 1024;
const LOOK_AGAIN_MS = 50;

interface Seat {
  watcher: Watcher;
  /** All up to this number was told, or need not be. */
  told: number;
  /** Next comes a snapshot. */
  anew: 'no' | 'first' | 'gap';
}

interface Room {
  view: View;
  wants: ((metric: string) => boolean) | undefined;
  seats: Set<Seat>;
  /** The newest number that held something for this view. */
  told: number;
  timer: NodeJS.Timeout | undefined;
  flushedAt: number;
}

/**
 * Tells watchers of a device what is new of it. Those with the same view get the same bytes, made once. For who is slow,
 * and who wants less often, nothing is kept: they get the newest of each metric when it is time.
 */
export function createDeviceFeed({ record, device }: { record: DeviceRecord; device(): object }) {
  const rooms = new Map<string, Room>();
  let looking: NodeJS.Timeout | undefined;

  function roomOf(view: View): Room {
    const key = viewKey(view);
    const known = rooms.get(key);
    if (known) return known;
    const { metrics } = view;
    const set = metrics && new Set(metrics);
    const room: Room = {
      view,
      wants: set && ((metric) => set.has(metric)),
      seats: new Set(),
      told: record.seq(),
      timer: undefined,
      flushedAt: Number.NEGATIVE_INFINITY,
    };
    rooms.set(key, room);
    return room;
  }

  const isBehind = (seat: Seat): boolean => seat.watcher.waitingBytes() > BEHIND_BYTES;

  /** What was missed from a number on, as one frame. */
  const digestFrom = (room: Room, from: number): Buffer | undefined =>
    digestFrame(from, record.seq(), record.digest(from, room.view, room.wants ?? (() => true)));

  function sendAnew(room: Room, seat: Seat): void {
    const readings = record.latest(room.wants ?? (() => true));
    const logs = room.view.logs ? record.lines() : undefined;
    seat.watcher.sendText(
      snapshotFrame(record.seq(), { device: device(), readings, logs, isGap: seat.anew === 'gap' }),
    );
    seat.anew = 'no';
    seat.told = record.seq();
  }

  /** Brings each seat to the newest number by a frame from the one that it has to have next; those with the same share it. */
  function serve(room: Room, frameFrom: (from: number) => Buffer | undefined): void {
    const made = new Map<number, Buffer | undefined>();
    const seq = record.seq();
    for (const seat of room.seats) {
      if (seat.told >= seq && seat.anew === 'no') continue;
      if (isBehind(seat)) lookAgain();
      else if (seat.anew !== 'no') sendAnew(room, seat);
      else {
        const from = seat.told + 1;
        if (!made.has(from)) made.set(from, frameFrom(from));
        const frame = made.get(from);
        if (!frame) continue;
        seat.watcher.sendText(frame);
        seat.told = seq;
      }
    }
  }

  function flush(room: Room): void {
    room.timer = undefined;
    room.flushedAt = performance.now();
    serve(room, (from) => digestFrom(room, from));
  }

  function later(room: Room, maxHz: number): void {
    room.timer ??= setTimeout(
      () => flush(room),
      Math.max(0, room.flushedAt + 1_000 / maxHz - performance.now()),
    );
  }

  /** While somebody is behind: nothing new may come that would tell them. */
  function lookAgain(): void {
    looking ??= setTimeout(() => {
      looking = undefined;
      for (const room of rooms.values()) {
        if (room.view.maxHz !== undefined) later(room, room.view.maxHz);
        else serve(room, (from) => digestFrom(room, from));
      }
    }, LOOK_AGAIN_MS);
  }

  function tell(delta: Delta): void {
    for (const room of rooms.values()) {
      const { view, wants, told } = room;
      if (view.maxHz !== undefined) {
        later(room, view.maxHz);
        continue;
      }
      const frameOf = (from: number) => deltaFrame(delta, { from, logs: view.logs, wants });
      // Between the last frame and this delta was nothing for this view: who has that frame misses nothing.
      serve(room, (from) => (from > told ? frameOf(from) : digestFrom(room, from)));
      if (isOf(delta, room)) room.told = delta.seq;
    }
  }

  function enter(view: View, seat: Seat): Room {
    const room = roomOf(view);
    room.seats.add(seat);
    return room;
  }

  function leave(room: Room, seat: Seat): void {
    room.seats.delete(seat);
    if (room.seats.size > 0) return;
    clearTimeout(room.timer);
    rooms.delete(viewKey(room.view));
  }

  return {
    add(news: News): void {
      tell(record.add(news));
    },

    /** Somebody comes: with what follows a number, when it is kept, or else with a snapshot. */
    join(watcher: Watcher, after: number | undefined): Member {
      const missed = after === undefined ? undefined : record.after(after);
      const seat: Seat = { watcher, told: record.seq(), anew: missed ? 'no' : 'first' };
      let room = enter(everything, seat);
      if (!missed) sendAnew(room, seat);
      else
        for (const delta of missed) {
          const frame = deltaFrame(delta, { from: delta.seq, logs: true, wants: undefined });
          if (frame) watcher.sendText(frame);
        }
      return {
        turn(view) {
          leave(room, seat);
          seat.anew = 'first';
          room = enter(view, seat);
          if (isBehind(seat)) lookAgain();
          else sendAnew(room, seat);
        },
        leave: () => leave(room, seat),
      };
    },

    /** Something was missed: everybody gets a snapshot. */
    renew(): void {
      for (const room of rooms.values())
        for (const seat of room.seats) {
          seat.anew = 'gap';
          if (isBehind(seat)) lookAgain();
          else sendAnew(room, seat);
        }
    },

    gone(): void {
      for (const { seats } of rooms.values()) for (const { watcher } of seats) watcher.gone();
    },

    count: () => [...rooms.values()].reduce((sum, { seats }) => sum + seats.size, 0),

    close(): void {
      clearTimeout(looking);
      for (const { timer } of rooms.values()) clearTimeout(timer);
    },
  };
}

/** Whether it holds something of what is wanted. */
function isOf(delta: Delta, { view, wants }: Room): boolean {
  if (delta.kind !== 'telemetry') return delta.kind === 'state' || view.logs;
  return !wants || delta.readings.some(({ metric }) => wants(metric));
}

export type DeviceFeed = ReturnType<typeof createDeviceFeed>;
