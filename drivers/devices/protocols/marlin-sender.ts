import { numbered } from './marlin-lines.ts';
import type { Item, Outbox, Outcome } from './outbox.ts';

export interface SenderOptions {
  /** Lines and bytes that are under way at once; bytes are those of the firmware's receive buffer. */
  window: { lines: number; bytes: number };
  /** Of silence, before the oldest line is said again: its number tells whether it came the first time. */
  ackTimeoutMs: number;
  /** The same while a line is being sent again. */
  recoverMs: number;
  /** Of silence, until nothing is expected any more. */
  deadMs: number;
}

/**
 * Sends lines with numbers and checksums. The firmware takes each number once and in order, so a line can be said
 * again whenever it is not known to have come: it is never done twice, and none is left out.
 */
export interface MarlinSender {
  /** Sends what may be sent now. */
  pump(): void;
  /** A line came, whatever it says. */
  heard(): void;
  ok(number: number | undefined): void;
  resend(number: number): void;
  /** The device says that it has nothing to do. */
  idle(): void;
  /** What is under way becomes unknown; numbering begins anew. */
  restart(reason: string): void;
  /** What is under way alone. */
  current(): Item | undefined;
  isNumbered(): boolean;
  stop(reason: string): void;
}

/** Lines that can be asked for again; those under way are always among them. */
const KEPT = 1_000;
/** After an M110 that was said again: any copy of it that is still on its way is read within so long. */
const GREETING_MS = 300;

export function createMarlinSender(
  { outbox, write, onLost }: { outbox: Outbox; write(wire: string): void; onLost(reason: string): void },
  { window, ackTimeoutMs, recoverMs, deadMs }: SenderOptions,
): MarlinSender {
  let entries = new Map<number, { wire: string; item: Item | undefined }>();
  /** Number of the next new line, of the last one that was written, and of the last one that is acknowledged. */
  let next = 0;
  let written = -1;
  let acknowledged = -1;
  /** Sent alone until it is acknowledged; resends of lines that were under way before ask for it in vain. */
  let recovering: { number: number; stale: number } | undefined;
  let isProbing = false;
  let silence: NodeJS.Timeout | undefined;
  let waitMs = ackTimeoutMs;
  let heardAt = performance.now();
  let heardSincePoll = false;
  let isStopped = false;

  /** The M110 that were said and not answered; each one that is read begins the count anew. */
  let greetings = 0;
  let settling: NodeJS.Timeout | undefined;

  const bytesUnderWay = (): number => {
    let bytes = 0;
    for (let number = acknowledged + 1; number <= written; number++)
      bytes += entries.get(number)?.wire.length ?? 0;
    return bytes;
  };
  const isUnderWay = (): boolean => written > acknowledged;
  const soloUnderWay = (): boolean => isUnderWay() && entries.get(written)?.item?.alone !== false;

  function pump(): void {
    while (!isStopped && !settling) {
      if (recovering && written >= recovering.number) break;
      const isNew = written + 1 === next;
      if (written - acknowledged >= window.lines) break;
      if (isUnderWay() && (soloUnderWay() || (isNew && outbox.nextIsAlone()))) break;
      if (isNew && !add()) break;
      const entry = entries.get(written + 1);
      if (!entry || (isUnderWay() && bytesUnderWay() + entry.wire.length > window.bytes)) break;
      written += 1;
      entry.item?.sent();
      if (written === 0) greetings += 1;
      write(entry.wire);
    }
    watch();
  }

  /** Gives the next line its number. The first one tells the device where numbers begin. */
  function add(): boolean {
    const item = next === 0 ? undefined : outbox.take();
    if (next > 0 && !item) return false;
    entries.set(next, { wire: numbered(next, item?.text ?? 'M110 N0'), item });
    next += 1;
    return true;
  }

  /** One timer that is seldom set anew: lines come by the thousand. */
  function watch(): void {
    if (silence || isStopped || !isUnderWay()) return;
    heardSincePoll = false;
    silence = setTimeout(quiet, recovering ? Math.min(recoverMs, waitMs) : waitMs);
  }

  function setRecovering(to: typeof recovering): void {
    recovering = to;
    clearTimeout(silence); // it has another time limit now
    silence = undefined;
  }

  function quiet(): void {
    silence = undefined;
    if (heardSincePoll || !isUnderWay()) {
      watch();
      return;
    }
    if (performance.now() - heardAt > deadMs) {
      onLost(`the device has said nothing for ${deadMs} ms`);
      return;
    }
    probe();
    waitMs = Math.min(waitMs * 2, Math.max(ackTimeoutMs, 10_000));
    watch();
  }

  function probe(): void {
    if (settling) return;
    isProbing = true;
    if (acknowledged < 0) greetings += 1;
    const entry = entries.get(acknowledged + 1);
    if (entry) write(entry.wire);
  }

  function settleUpTo(number: number): void {
    while (acknowledged < number) {
      acknowledged += 1;
      const entry = entries.get(acknowledged);
      entry?.item?.settle({ state: 'acknowledged' });
      // Once: a line whose `ok` was another's is sent again, and acknowledged again.
      if (entry) entry.item = undefined;
      entries.delete(acknowledged - KEPT);
    }
    if (acknowledged >= 0) greetings = 0;
    if (recovering && acknowledged >= recovering.number) setRecovering(undefined);
    waitMs = ackTimeoutMs;
  }

  /** Counts the lines up to this one once nothing more is said of them: their own `ok` may be on its way. */
  function settleLater(number: number, ms: number): void {
    clearTimeout(settling);
    settling = setTimeout(() => {
      settling = undefined;
      settleUpTo(number);
      pump();
    }, ms);
  }

  function stopSettling(): void {
    clearTimeout(settling);
    settling = undefined;
  }

  const end = (outcome: Outcome): void => {
    const open = entries;
    const from = acknowledged;
    clearTimeout(settling);
    settling = undefined;
    entries = new Map();
    next = 0;
    written = -1;
    acknowledged = -1;
    recovering = undefined;
    isProbing = false;
    for (const [number, { item }] of open) if (number > from) item?.settle(outcome);
  };

  return {
    pump,
    heard() {
      heardAt = performance.now();
      heardSincePoll = true;
    },
    ok(number) {
      isProbing = false;
      if (acknowledged < 0 && isUnderWay()) {
        greetings -= 1;
        if (greetings > 0) {
          settleLater(0, GREETING_MS); // another M110 may still be read, and would begin the count anew
          return;
        }
      }
      if (number !== undefined && number <= written && number > acknowledged) settleUpTo(number);
      else if (number === undefined && isUnderWay()) settleUpTo(acknowledged + 1);
      if (!isUnderWay()) stopSettling();
      pump();
    },
    resend(number) {
      if (acknowledged < 0) {
        // Of what was sent before numbers began. With that it threw away what it had not read: where they begin, too.
        probe();
        return;
      }
      if (recovering?.number === number && recovering.stale > 0 && written >= number && !isProbing) {
        recovering.stale -= 1;
        return;
      }
      if (settling && number === written + 1) return; // the same again, for another copy
      // Further back than answers can be miscounted: it has started anew unseen, and would do lines twice.
      const isAnew = number <= acknowledged && (number === 1 || number <= acknowledged - window.lines);
      if (isAnew || number > next || (number < next && !entries.has(number))) {
        onLost(`the device asks for line ${number}, and ${next} is next: it has another count`);
        return;
      }
      if (number <= acknowledged) acknowledged = number - 1;
      const isInDoubt = isProbing && acknowledged < number - 1;
      isProbing = false;
      const stale = Math.max(0, written - number);
      written = Math.max(acknowledged, number - 1);
      setRecovering(number < next ? { number, stale } : undefined);
      stopSettling();
      // It has them, and may not have done them yet: then their `ok` is not lost, and must not count for others.
      if (isInDoubt) settleLater(number - 1, recoverMs);
      else pump();
    },
    idle() {
      if (isUnderWay() && !isProbing) probe();
    },
    restart(reason) {
      end({ state: 'unknown', reason });
      pump();
    },
    current: () => (isUnderWay() ? entries.get(written)?.item : undefined),
    isNumbered: () => acknowledged >= 0,
    stop(reason) {
      isStopped = true;
      clearTimeout(silence);
      end({ state: 'unknown', reason });
    },
  };
}
