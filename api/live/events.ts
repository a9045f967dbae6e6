import { v7 as uuidv7 } from 'uuid';
import type { Database } from '../../db/orm.ts';
import { eventsBetween, latestSeq, prunedSeq } from '../../db/system/events.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import type { CloudEvent, EventFrame, EventTopic, StoredEvent } from '../../domain/events.ts';
import type { SystemMetrics } from '../../domain/myntrix/system-metrics.ts';
import { topics } from '../../domain/names.ts';
import type { Bus, Subscription } from '../../drivers/bus/port.ts';
import type { Logger } from '../../logs.ts';
import type { Connection } from '../http/socket.ts';
import { every } from './every.ts';
import { createMetricsStream } from './metrics.ts';
import { pruned } from './pruned.ts';
import { createSequence, type Sequence } from './sequence.ts';

const POLL_MS = 1_000;
const PIECE = 1_000;

export interface EventFilter {
  /** Samples of hosts, which are news for those alone who ask for them. */
  metrics: boolean;
  topics: ReadonlySet<EventTopic>;
  user: Principal;
}

/** The installation's events to those who may see them: one bus subscription while anybody listens. */
export function createEventStream({ bus, database, log }: { bus: Bus; database: Database; log: Logger }) {
  const metrics = createMetricsStream({ bus, log });
  const clients = new Set<Sequence<StoredEvent>>();
  let subscription: Promise<Subscription> | undefined;

  /** The newest number, and the one before the oldest event that is kept. */
  const ends = () => Promise.all([latestSeq(database.em), prunedSeq(database.em)]);

  async function compare(): Promise<void> {
    if (clients.size === 0) return;
    const found = await ends();
    for (const sequence of clients) sequence.announce(...found);
  }
  const comparing = every(POLL_MS, compare, (error) =>
    log.warn({ err: error }, 'events could not be compared'),
  );

  function listen() {
    subscription ??= bus.subscribe(topics.events, (message) => {
      const events = message as unknown as StoredEvent[]; // only the platform may publish on this topic
      for (const event of events) for (const sequence of clients) sequence.push(event);
    });
  }

  async function leave() {
    const left = subscription;
    if (clients.size > 0 || !left) return;
    subscription = undefined;
    await (await left).close();
  }

  return {
    ends,

    /** Sends the events after `after` that the filter lets through, until the client is gone. */
    follow(after: number, filter: EventFilter, connection: Connection): void {
      let previous = after;
      const sequence = createSequence<StoredEvent>({
        after,
        read: (last) => eventsBetween(database.em, last, Number.MAX_SAFE_INTEGER, PIECE),
        deliver: (stored) => {
          if (!mayShow(stored, filter)) return;
          const { seq, topic, event } = stored;
          const frame: EventFrame = { type: 'event', seq, previous, topic, event };
          previous = seq;
          connection.send(frame);
        },
        lost: () => connection.close(...pruned),
        onError: (error) => log.warn({ err: error }, 'events could not be read'),
      });
      clients.add(sequence);
      listen();
      // Not kept, so not numbered: it has the number of what this client has seen last.
      if (filter.metrics)
        connection.onClosed(
          metrics.listen((sample) => {
            const event = sampled(sample);
            connection.send({ type: 'event', seq: previous, previous, topic: 'system', event });
          }),
        );
      void ends().then(
        (found) => sequence.announce(...found),
        (error: unknown) => log.warn({ err: error }, 'events could not be compared'),
      );
      connection.onClosed(() => {
        clients.delete(sequence);
        leave().catch((error: unknown) => log.warn({ err: error }, 'unsubscribe'));
      });
    },
    close: comparing.stop,
  };
}

const sampled = (sample: SystemMetrics): CloudEvent => ({
  specversion: '1.0',
  id: uuidv7(),
  source: '/myntrix/system-metrics',
  type: 'dev.vareon.system.metrics',
  subject: sample.host,
  time: sample.timestamp,
  data: sample,
});

/** What belongs to nobody is everybody's; the rest its owner's and the administrators'. */
const mayShow = ({ topic, owner_id }: StoredEvent, { topics, user }: EventFilter) =>
  topics.has(topic) && (owner_id === null || owner_id === user.userId || user.isAdmin);
