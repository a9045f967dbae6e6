import type { Database } from '../../db/orm.ts';
import { rows } from '../../db/sql.ts';
import type { StoredEvent } from '../../domain/events.ts';
import { topics } from '../../domain/names.ts';
import type { Bus } from '../../drivers/bus/port.ts';
import type { Logger } from '../../logs.ts';
import { every } from './every.ts';

/** The rows of runs that somebody waits for are looked at this often, in case the bus lost the news. */
const POLL_MS = 1_000;

export interface RunEnds {
  /** Says when the row of a run may have ended: the moment that its end is committed, as a rule. */
  wait(runId: string): { ended: Promise<void>; stop(): void };
  close(): void;
}

/** The ends of runs for those who wait for one: from the first of them on, the bus tells of all. */
export function createRunEnds({
  bus,
  database,
  log,
}: {
  bus: Bus;
  database: Database;
  log: Logger;
}): RunEnds {
  const waiting = new Map<string, Set<() => void>>();
  let isListening = false;

  const tell = (runId: string) => {
    for (const end of waiting.get(runId) ?? []) end();
  };

  function listen() {
    if (isListening) return;
    isListening = true;
    bus
      .subscribe(topics.events, (message) => {
        for (const { topic, event } of message as unknown as StoredEvent[]) // only the platform may publish on it
          if ((topic === 'runs' || topic === 'jobs') && /\.(completed|failed|cancelled)$/.test(event.type))
            tell(event.subject);
      })
      .catch((error: unknown) => {
        isListening = false;
        log.warn({ err: error }, 'ends of runs are polled');
      });
  }

  async function look(): Promise<void> {
    if (waiting.size === 0) return;
    const ended = await rows<{ id: string }>(
      database.em,
      'select id from jobs where id in (?) and ended_at is not null',
      [[...waiting.keys()]],
    );
    for (const { id } of ended) tell(id);
  }
  const looking = every(POLL_MS, look, (error) => log.warn({ err: error }, 'ends of runs cannot be read'));

  return {
    wait(runId) {
      listen();
      const all = waiting.get(runId) ?? new Set();
      waiting.set(runId, all);
      let end = () => {};
      const ended = new Promise<void>((resolve) => {
        end = resolve;
      });
      all.add(end);
      return {
        ended,
        stop() {
          all.delete(end);
          if (all.size === 0 && waiting.get(runId) === all) waiting.delete(runId);
        },
      };
    },
    close: looking.stop,
  };
}
