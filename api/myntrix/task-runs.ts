import { createHash } from 'node:crypto';
import { Type } from 'typebox';
import type { ByHand, TasksByHand } from '../../db/myntrix/task-by-hand.ts';
import type { TaskHistory } from '../../db/myntrix/task-history.ts';
import type { TaskOrders } from '../../db/myntrix/task-orders.ts';
import type { Follow } from '../../db/myntrix/task-overlap.ts';
import type { TaskRepository } from '../../db/myntrix/tasks.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import { historyQuery, TaskRun } from '../../domain/myntrix/task-runs.ts';
import { BackfillRequest, TaskBackfilled, TaskStarted } from '../../domain/myntrix/tasks.ts';
import { Id, IdParams } from '../../domain/wire.ts';
import { cancelTaskRun, startTaskRun } from '../../drivers/schedules/task-runs.ts';
import type { Logger } from '../../logs.ts';
import { pageReply } from '../http/page.ts';
import { accepted, ok, type Reply, type RequestInfo, type Route, route } from '../http/route.ts';
import type { Cancel } from '../neosyntis/cancel.ts';
import type { Temporal } from '../temporal/client.ts';

const base = '/api/myntrix/tasks';
const RunParams = Type.Object({ run_id: Id });
const keyHeader = { 'Idempotency-Key': 'a repeat within 24 h answers the same tick' };

export interface TaskRunRouteDeps {
  tasks: Pick<TaskRepository, 'get'>;
  byHand: TasksByHand;
  orders: TaskOrders;
  history: TaskHistory;
  temporal: Temporal;
  publish(events: readonly StoredEvent[]): void;
  log: Logger;
}

/** What ticks of tasks did, and what is begun by hand; before those of `tasks/{id}`, which would take `history` for one. */
export function createTaskRunRoutes({
  tasks,
  byHand,
  orders,
  history,
  temporal,
  publish,
  log,
}: TaskRunRouteDeps): Route[] {
  /** What is lost here is done by the reconciler. */
  async function follow({ begin, events }: Follow): Promise<void> {
    publish(events);
    for (const id of begin)
      try {
        const { cancel, begins } = await orders.todo(id);
        await temporal.call(async (client) => {
          for (const other of cancel) await cancelTaskRun(client, other);
          if (begins) await startTaskRun(client, id);
        });
      } catch (error) {
        log.warn({ err: error, taskRunId: id }, 'not begun now; the reconciler begins it');
      }
  }

  async function begun(work: () => Promise<ByHand>): Promise<Reply> {
    await temporal.ensureUp();
    const made = await work();
    await follow(made);
    return accepted({ run_id: made.id, job_id: made.id }, `${base}/history/${made.id}`);
  }

  return [
    route({
      method: 'GET',
      path: `${base}/history`,
      access: 'myntrix:tasks:read',
      summary: 'List what became of the ticks of your tasks',
      description: 'Also of those that were skipped or missed. `from` and `to` are nominal times.',
      query: historyQuery,
      answers: { 200: { description: 'newest first', schema: Type.Array(TaskRun) } },
      handler: async ({ user, query, request }) => pageReply(await history.list(user, query), query, request),
    }),
    route({
      method: 'GET',
      path: `${base}/history/{run_id}`,
      access: 'myntrix:tasks:read',
      summary: 'Read what became of a tick',
      params: RunParams,
      answers: { 200: { description: 'with the end of its log', schema: TaskRun } },
      handler: async ({ user, params }) => ok(await history.get(user, params.run_id)),
    }),
    route({
      method: 'POST',
      path: `${base}/history/{run_id}/rerun`,
      access: 'myntrix:tasks:run',
      summary: 'Do once more what a tick did',
      description: 'As its task is now.',
      params: RunParams,
      headers: keyHeader,
      answers: { 202: { description: 'the new tick', schema: TaskStarted } },
      errors: ['conflict'],
      handler: ({ user, params, request }) =>
        begun(() =>
          byHand.rerun(user, params.run_id, claim(user, `rerun task run ${params.run_id}`, request)),
        ),
    }),
    route({
      method: 'GET',
      path: `${base}/{id}/history`,
      access: 'myntrix:tasks:read',
      summary: 'List what became of a task’s ticks',
      params: IdParams,
      query: historyQuery,
      answers: { 200: { description: 'newest first', schema: Type.Array(TaskRun) } },
      async handler({ user, params, query, request }) {
        await tasks.get(user, params.id);
        return pageReply(await history.list(user, { ...query, taskId: params.id }), query, request);
      },
    }),
    route({
      method: 'POST',
      path: `${base}/{id}/run`,
      access: 'myntrix:tasks:run',
      summary: 'Run a task now',
      description: 'Also while it is paused. A task that skips what overlaps refuses while a tick goes on.',
      params: IdParams,
      headers: keyHeader,
      answers: { 202: { description: 'the tick', schema: TaskStarted } },
      errors: ['conflict'],
      handler: ({ user, params, request }) =>
        begun(() => byHand.run(user, params.id, claim(user, `run task ${params.id}`, request))),
    }),
    route({
      method: 'POST',
      path: `${base}/{id}/backfill`,
      access: 'myntrix:tasks:run',
      summary: 'Make up for a period',
      description:
        'Each nominal time from `from` to `to` that has no tick, or whose tick was skipped or missed, one after the other.',
      params: IdParams,
      body: BackfillRequest,
      answers: { 202: { description: 'the ticks', schema: TaskBackfilled } },
      errors: ['conflict'],
      async handler({ user, params, body }) {
        await temporal.ensureUp();
        const { ids, ...made } = await byHand.backfill(user, params.id, {
          from: new Date(body.from),
          to: new Date(body.to),
        });
        await follow(made);
        const [first] = ids;
        return accepted({ run_id: first, job_id: first, run_ids: ids }, `${base}/${params.id}/history`);
      },
    }),
  ];
}

/** Cancels a tick: one that waits at once. What is lost here is done by the reconciler. */
export const createTaskCancel =
  (orders: TaskOrders, temporal: Temporal, publish: TaskRunRouteDeps['publish']): Cancel =>
  async (id) => {
    await temporal.ensureUp();
    const { events, open } = await orders.cancel(id);
    publish(events);
    if (open) await temporal.call((client) => cancelTaskRun(client, open));
  };

function claim(user: Principal, route: string, request: Pick<RequestInfo, 'header'>) {
  const key = request.header('Idempotency-Key');
  if (key === '') return undefined;
  if (key.length > 200)
    throw new AppError('invalid', `The Idempotency-Key has ${key.length} characters; 200 is the limit.`);
  return { userId: user.userId, route, key, bodyHash: createHash('sha256').update('').digest('hex') };
}
