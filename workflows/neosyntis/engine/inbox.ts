import type { WorkflowEvent } from '../../../domain/neosyntis/cloud-event.ts';
import type { DeliveredEvent } from '../../../domain/neosyntis/events.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import type { Json } from '../../../domain/wire.ts';

/** Events posted to the run that wait for a listener: beyond this the oldest go. */
const BUFFER = { events: 1_000, bytes: 1024 * 1024 };

/** Events that listeners have not come to; a run that is so far behind fails rather than losing some. */
const QUEUE = { events: 10_000, bytes: 8 * 1024 * 1024 };

/** Numbers of the latest events, by which one that comes again is known. */
const SEEN = 2_000;

interface Entry {
  n: number;
  direct: boolean;
  /** A listener has consumed it. */
  used: boolean;
  bytes: number;
  event: WorkflowEvent;
}

/** What a run has received and still needs: plain JSON. */
export interface InboxState {
  next: number;
  bytes: number;
  entries: Entry[];
  seen: number[];
  isFull: boolean;
}

/** Where a listener is: plain JSON. It sees what came since it began, and before that what was sent to the run alone. */
export interface Reader {
  since: number;
  at: number;
}

export const emptyInbox = (): InboxState => ({ next: 0, bytes: 0, entries: [], seen: [], isFull: false });

/** The events of a run in the order in which they came, each kept as long as somebody may want it. */
export function createInbox(state: InboxState = emptyInbox()) {
  const seen = new Set(state.seen);
  const readers = new Set<Reader>();

  const isFor = ({ since, at }: Reader, { n, direct, used }: Entry) =>
    n >= at && (n >= since || (direct && !used));

  function awaited(entry: Entry): boolean {
    for (const reader of readers) if (isFor(reader, entry)) return true;
    return false;
  }

  function drop(unwanted: (entry: Entry) => boolean): void {
    state.entries = state.entries.filter((entry) => {
      if (!unwanted(entry)) return true;
      state.bytes -= entry.bytes;
      return false;
    });
  }

  /** Lets go of what nobody can want any more, and of the oldest of what nobody wants yet. */
  function prune(): void {
    drop((entry) => (!entry.direct || entry.used) && !awaited(entry));
    const waiting = state.entries.filter((entry) => !awaited(entry));
    let events = waiting.length;
    let bytes = waiting.reduce((sum, entry) => sum + entry.bytes, 0);
    const gone = new Set<Entry>();
    for (const entry of waiting) {
      if (events <= BUFFER.events && bytes <= BUFFER.bytes) break;
      gone.add(entry);
      events -= 1;
      bytes -= entry.bytes;
    }
    if (gone.size > 0) drop((entry) => gone.has(entry));
  }

  function add({ seq, direct, event }: DeliveredEvent): void {
    if (seen.has(seq)) return;
    seen.add(seq);
    state.seen.push(seq);
    if (state.seen.length > SEEN) for (const old of state.seen.splice(0, SEEN / 2)) seen.delete(old);
    const entry = { n: state.next++, direct, used: false, bytes: byteLength(event as Json), event };
    if (!direct && !awaited(entry)) return;
    state.entries.push(entry);
    state.bytes += entry.bytes;
    state.isFull ||= state.entries.length > QUEUE.events || state.bytes > QUEUE.bytes;
  }

  return {
    /** What there is to carry on with, in another execution of the run. */
    state,

    /** Takes what a signal brings. */
    receive(events: readonly DeliveredEvent[]): void {
      if (state.isFull) return;
      events.forEach(add);
      prune();
    },

    /** Begins to listen: from now on, or where it was. */
    open(reader: Reader = { since: state.next, at: 0 }): Reader {
      readers.add(reader);
      return reader;
    },

    close(reader: Reader): void {
      readers.delete(reader);
      prune();
      // Whoever listens next sees what comes from then on.
      if (readers.size === 0) state.isFull = false;
    },

    has: (reader: Reader): boolean => state.isFull || state.entries.some((entry) => isFor(reader, entry)),

    /** The next event for a listener, who has seen it then. `consume` says that it was what somebody waited for. */
    take(reader: Reader): { event: WorkflowEvent; consume(): void } | undefined {
      const entry = state.entries.find((one) => isFor(reader, one));
      if (!entry) return undefined;
      reader.at = entry.n + 1;
      return {
        event: entry.event,
        consume() {
          entry.used = true;
          prune();
        },
      };
    },

    /** More came than the run could work off. */
    isFull: () => state.isFull,
  };
}

export type Inbox = ReturnType<typeof createInbox>;
