import type { StoredEvent } from '../../domain/events.ts';
import type { WorkflowEvent } from '../../domain/neosyntis/cloud-event.ts';
import { type Hits, isEnough, LONGEST_CHAIN } from '../../domain/neosyntis/event-starts.ts';
import { readAs } from '../../domain/neosyntis/events.ts';
import { VALUE_LIMIT_BYTES } from '../../domain/neosyntis/runs.ts';
import { byteLength } from '../../domain/neosyntis/shown.ts';
import type { Timing } from '../../domain/system/schedules.ts';
import type { Database, Sql } from '../orm.ts';
import { rows } from '../sql.ts';
import { lockWorkflow, noteTick } from '../system/schedules.ts';
import { openSets, type TakenEvent, type TakenEvents } from './event-sets.ts';
import { digestOf } from './event-starts.ts';
import { createOwnersRun } from './new-runs.ts';
import { createOwnerRights } from './owner-rights.ts';

/** What the filters of a schedule say of events that have come for it. */
export interface HeldEvents {
  scheduleId: string;
  /** Of what they were held against. */
  digest: string;
  held: { seq: number; hits: Hits }[];
}

/** What became of events. */
export interface BegunRuns {
  runs: string[];
  events: StoredEvent[];
  /** Why events that would begin a run began none. */
  refused: string[];
}

interface Wanted {
  timing: Timing;
  workflow_id: string;
  owner_id: string;
  uses_code: boolean;
}

/** The id of the run that these events begin, the same however often it is asked for. */
export type NameRun = (scheduleId: string, events: readonly WorkflowEvent[], at: Date) => string;

/**
 * Begins runs by events, in the name of the workflow's owner and by what the owner may do now. What becomes of an event,
 * and that it needs to be held against the schedule no more, is one transaction: none begins two runs, and none is lost.
 */
export function createEventRuns(database: Database, nameRun: NameRun) {
  const rights = createOwnerRights(database);

  return {
    take: ({ scheduleId, digest, held }: HeldEvents): Promise<BegunRuns> =>
      database.em.fork().transactional(async (tx) => {
        const begun: BegunRuns = { runs: [], events: [], refused: [] };
        await lockWorkflow(tx, scheduleId);
        const [wanted] = await rows<Wanted>(
          tx,
          `select s.timing, w.id as workflow_id, w.owner_id, v.uses_code
           from schedules s join workflows w on w.id = s.subject_id and w.deleted_at is null
           join workflow_versions v on v.workflow_id = w.id and v.version = w.version
           where s.id = ? and not s.paused and not s.removed and ${digestOf} = ? for update of s`,
          [scheduleId, digest],
        );
        // Something else is wanted by now: what is due is looked at again.
        if (wanted?.timing.kind !== 'on') return begun;
        const { on, read } = wanted.timing;
        const hindered = await rights(wanted.owner_id, wanted.uses_code);

        async function begin(tx: Sql, { events, chain, at }: TakenEvents, wanted: Wanted): Promise<void> {
          const input = events.map((event) => readAs(event, read));
          const reason = hindered ?? tooMuch(chain + 1, byteLength(input));
          if (reason !== undefined) {
            begun.refused.push(reason);
            return noteTick(tx, scheduleId, { at, outcome: 'failed', reason });
          }
          const runId = nameRun(scheduleId, events, at);
          await noteTick(tx, scheduleId, { at, outcome: 'started', runId });
          const created = await createOwnersRun(tx, {
            id: runId,
            ownerId: wanted.owner_id,
            workflowId: wanted.workflow_id,
            input,
            trigger: {
              kind: 'event',
              at: at.toISOString(),
              schedule_id: scheduleId,
              events: events.map(({ source, id, type }) => ({ source, id, type })),
              chain: chain + 1,
            },
          });
          begun.runs.push(runId);
          if (created.isNew) begun.events.push(...created.events);
        }

        const hitsOf = new Map(held.map(({ seq, hits }) => [seq, hits]));
        const sets = on.all ? await openSets(tx, scheduleId) : undefined;
        for (const { receivedAt: at, ...taken } of await take(tx, scheduleId, [...hitsOf.keys()])) {
          const hits = hitsOf.get(taken.seq) ?? [];
          const complete = sets
            ? await sets.take(taken, hits)
            : isEnough(on, hits) && { events: [taken.event], chain: taken.chain };
          if (complete) await begin(tx, { ...complete, at }, wanted);
        }
        const given = (await sets?.limit()) ?? 0;
        if (given > 0)
          begun.refused.push(`${given} sets of events were given up: too many are not complete.`);
        return begun;
      }),
  };
}

export type EventRuns = ReturnType<typeof createEventRuns>;

/** Takes events off what is due to a schedule, in their order; those that somebody else took are none. */
async function take(
  tx: Sql,
  scheduleId: string,
  seqs: number[],
): Promise<(TakenEvent & { receivedAt: Date })[]> {
  const found = await rows<Omit<TakenEvent, 'seq'> & { seq: string; received_ms: number }>(
    tx,
    `with taken as (
       delete from event_start_due where schedule_id = ? and seq = any(?::bigint[]) returning seq
     )
     select e.seq, e.event, e.chain, (extract(epoch from e.received_at) * 1000)::float8 as received_ms
     from taken t join event_inbox e on e.seq = t.seq order by e.seq`,
    [scheduleId, `{${seqs}}`],
  );
  return found.map(({ seq, event, chain, received_ms }) => ({
    seq: Number(seq),
    event,
    chain,
    receivedAt: new Date(Math.round(received_ms)),
  }));
}

function tooMuch(chain: number, bytes: number): string | undefined {
  if (chain > LONGEST_CHAIN)
    return `${LONGEST_CHAIN} runs have begun each other by events, one after the other: that has no end.`;
  if (bytes > VALUE_LIMIT_BYTES)
    return `The events have ${bytes} bytes of JSON together; a run’s input has ${VALUE_LIMIT_BYTES} at most.`;
  return undefined;
}
