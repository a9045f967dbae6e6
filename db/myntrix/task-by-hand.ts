import { v7 as uuidv7 } from 'uuid';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import { BACKFILL_LIMIT } from '../../domain/myntrix/tasks.ts';
import type { Sql } from '../orm.ts';
import { ownedBy } from '../owned.ts';
import { json, rows } from '../sql.ts';
import { appendEvents, type NewEvent } from '../system/events.ts';
import { claimKey, type IdempotencyClaim } from '../system/idempotency.ts';
import { type Follow, placeTick, releaseNext } from './task-overlap.ts';
import { insertJobs, insertTick, lockTask, type TaskRow } from './task-rows.ts';
import type { TickingDeps } from './task-ticks.ts';

/** A tick that somebody wants, and what is to be done about it. */
export type ByHand = { id: string } & Follow;

/** An Idempotency-Key; the job is the tick's. */
export type Claim = Omit<IdempotencyClaim, 'jobId'>;

export type TasksByHand = ReturnType<typeof createTasksByHand>;

/** Writes ticks that people ask for. A nominal time has one row, however often it is asked for. */
export function createTasksByHand({ database, clock, idOf }: TickingDeps) {
  const transaction = <T>(work: (tx: Sql) => Promise<T>): Promise<T> =>
    database.em.fork().transactional(work);

  /** @throws AppError `not_found` */
  async function own(tx: Sql, user: Principal, id: string): Promise<TaskRow> {
    const owned = ownedBy(user, 'owner_id');
    const [found] = await rows(tx, `select 1 from tasks where id = ? and not removed and ${owned.where}`, [
      id,
      ...owned.params,
    ]);
    const task = found === undefined ? undefined : await lockTask(tx, id);
    if (!task || task.removed) throw new AppError('not_found', `There is no task ${id}.`);
    return task;
  }

  /** What somebody wants by hand, in its place among those that are open. */
  async function byHand(tx: Sql, task: TaskRow, claim: Claim | undefined, rerunOf?: string): Promise<ByHand> {
    const [id, at] = [uuidv7(), new Date()];
    const known = claim ? await claimKey(tx, { ...claim, jobId: id }) : id;
    if (known !== id) return { id: known, begin: [], events: [] };
    const { placed, told } = await placeTick(tx, task, at);
    if (placed.kind === 'skipped')
      throw new AppError('conflict', `${placed.reason} Try again when it has ended.`);
    const tick = { id, at, status: 'pending', isBuffered: placed.kind === 'waits' } as const;
    const written = await insertTick(tx, task, {
      ...tick,
      ...(rerunOf === undefined ? { trigger: 'manual' } : { trigger: 'rerun', rerunOf }),
    });
    return { id, begin: [id], events: await appendEvents(tx, [...told, ...written]) };
  }

  return {
    /** @throws AppError `not_found`; `conflict` when one goes on and the task skips others meanwhile */
    run: (user: Principal, id: string, claim?: Claim): Promise<ByHand> =>
      transaction(async (tx) => byHand(tx, await own(tx, user, id), claim)),

    /** Does once more what a tick did, as its task is now. @throws AppError as `run` does */
    rerun: (user: Principal, runId: string, claim?: Claim): Promise<ByHand> =>
      transaction(async (tx) => {
        const owned = ownedBy(user, 't.owner_id');
        const [found] = await rows<{ task_id: string }>(
          tx,
          `select r.task_id from task_runs r join tasks t on t.id = r.task_id where r.id = ? and ${owned.where}`,
          [runId, ...owned.params],
        );
        if (!found) throw new AppError('not_found', `There is no tick ${runId} of a task.`);
        return byHand(tx, await own(tx, user, found.task_id), claim, runId);
      }),

    /**
     * Makes up for a period: each of its nominal times that has no row, was missed or was skipped, one after the other.
     * @throws AppError `not_found`, `invalid`; `conflict` when there is nothing to make up for
     */
    backfill: (user: Principal, id: string, { from, to }: { from: Date; to: Date }) =>
      transaction(async (tx) => {
        const task = await own(tx, user, id);
        if (+to > Date.now())
          throw new AppError('invalid', 'The period ends in the future; `to` is now at most.');
        if (+from > +to) throw new AppError('invalid', 'The period ends before it begins.');
        const times = clock.between(task.timing, from, to, BACKFILL_LIMIT + 1);
        if (times.length > BACKFILL_LIMIT)
          throw new AppError(
            'invalid',
            `The period has more than ${BACKFILL_LIMIT} nominal times, the limit: take a shorter one.`,
          );
        const made = await rows<{ id: string; at_ms: number }>(
          tx,
          `insert into task_runs (id, task_id, trigger, scheduled_at, status, buffered, has_job, created_at)
           select x.id, ?, 'backfill', x.at, 'pending', true, true, now()
           from jsonb_to_recordset(?::jsonb) as x(id uuid, at timestamptz)
           on conflict (task_id, scheduled_at) where trigger in ('schedule', 'backfill') do update
             set trigger = 'backfill', status = 'pending', buffered = true, has_job = true, end_time = null,
               reason = null, notify_at = null
             where task_runs.status in ('missed', 'skipped')
           returning id, (extract(epoch from scheduled_at) * 1000)::float8 as at_ms`,
          [id, json(times.map((at) => ({ id: idOf(id, at), at })))],
        );
        if (made.length === 0)
          throw new AppError(
            'conflict',
            `There is nothing to make up for: the ${times.length} nominal time(s) of the period ran, or are about to.`,
          );
        const ticks = made
          .map(({ id: tickOf, at_ms }) => ({ id: tickOf, at: new Date(at_ms) }))
          .sort((one, other) => +one.at - +other.at);
        await insertJobs(tx, task, ticks);
        const next = await releaseNext(tx, id);
        const told: NewEvent = {
          topic: 'tasks',
          type: 'task.backfilled',
          source: '/myntrix/tasks',
          subject: id,
          ownerId: task.owner_id,
          data: { id, name: task.name, runs: ticks.length },
        };
        const events = await appendEvents(tx, [told]);
        return { ids: ticks.map((tick) => tick.id), begin: next === undefined ? [] : [next], events };
      }),
  };
}
