import { type Frame, framesAfter } from '../../db/neosyntis/frames.ts';
import type { Database } from '../../db/orm.ts';
import { rows } from '../../db/sql.ts';
import { topics } from '../../domain/names.ts';
import type { Bus, Subscription } from '../../drivers/bus/port.ts';
import type { Logger } from '../../logs.ts';
import type { Connection } from '../http/socket.ts';
import { every } from './every.ts';
import { pruned } from './pruned.ts';
import { createSequence, type Sequence } from './sequence.ts';

interface Watched {
  clients: Set<Sequence<Frame>>;
  subscription: Promise<Subscription>;
}

/** Numbers are compared with the database this often, in case the bus lost the newest frame. */
const POLL_MS = 1_000;
const PIECE = 500;

/** Frames of runs to those who watch them: one bus subscription for each run that somebody watches. */
export function createRunStreams({ bus, database, log }: { bus: Bus; database: Database; log: Logger }) {
  const watched = new Map<string, Watched>();

  async function compare(): Promise<void> {
    const ids = [...watched.keys()];
    if (ids.length === 0) return;
    const found = await rows<{ id: string; seq: string; pruned: string }>(
      database.em,
      'select id, seq, pruned_seq as pruned from jobs where id in (?)',
      [ids],
    );
    for (const job of found)
      for (const sequence of watched.get(job.id)?.clients ?? [])
        sequence.announce(Number(job.seq), Number(job.pruned));
  }
  const comparing = every(POLL_MS, compare, (error) =>
    log.warn({ err: error }, 'watched runs could not be compared'),
  );

  function watch(runId: string): Watched {
    const existing = watched.get(runId);
    if (existing) return existing;
    const clients: Watched['clients'] = new Set();
    const subscription = bus.subscribe(topics.run(runId), (message) => {
      const frames = message as unknown as Frame[]; // only platform workers may publish on this topic
      for (const frame of frames) for (const sequence of clients) sequence.push(frame);
    });
    const created = { clients, subscription };
    watched.set(runId, created);
    return created;
  }

  async function unwatch(runId: string): Promise<void> {
    const watching = watched.get(runId);
    if (!watching || watching.clients.size > 0) return;
    watched.delete(runId);
    await (await watching.subscription).close();
  }

  return {
    /** Sends a run's frames after `after` until the client is gone. */
    follow(runId: string, after: number, connection: Connection): void {
      // A frame goes to many clients; it is made text once.
      const sequence = createSequence<Frame>({
        after,
        read: (last) => framesAfter(database, runId, last, PIECE),
        deliver: (frame) => connection.sendText(textOf(frame)),
        lost: () => connection.close(...pruned),
        onError: (error) => log.warn({ err: error, runId }, 'frames could not be read'),
      });
      watch(runId).clients.add(sequence);
      // What was written between the snapshot and the subscription.
      void rows<{ seq: string; pruned: string }>(
        database.em,
        'select seq, pruned_seq as pruned from jobs where id = ?',
        [runId],
      ).then(
        ([job]) => sequence.announce(Number(job?.seq ?? 0), Number(job?.pruned ?? 0)),
        (error: unknown) => log.warn({ err: error, runId }, 'the run could not be compared'),
      );
      connection.onClosed(() => {
        watched.get(runId)?.clients.delete(sequence);
        unwatch(runId).catch((error: unknown) => log.warn({ err: error }, 'unsubscribe'));
      });
    },
    close: comparing.stop,
  };
}

const texts = new WeakMap<object, string>();

function textOf(frame: Frame): string {
  const known = texts.get(frame);
  if (known !== undefined) return known;
  const text = JSON.stringify(frame);
  texts.set(frame, text);
  return text;
}
