import { setImmediate as turn } from 'node:timers/promises';
import { Type } from 'typebox';
import type { StoredTask, TaskRepository } from '../../db/myntrix/tasks.ts';
import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import { NewTask, Task, TaskPreview, TaskPreviewRequest, TaskUpdate } from '../../domain/myntrix/tasks.ts';
import { IdParams, PageQuery } from '../../domain/wire.ts';
import { createNextRuns } from '../../drivers/schedules/next-runs.ts';
import { preview } from '../../drivers/schedules/preview.ts';
import { pageReply } from '../http/page.ts';
import { etagOf, requireMatch } from '../http/put.ts';
import { created, noContent, ok, type Route, route } from '../http/route.ts';
import { scheduleOf } from './task-input.ts';
import type { TaskSettingsReader } from './task-settings.ts';

const base = '/api/myntrix/tasks';
const NEXT = 5;
const PREVIEWED = 10;

export interface TaskRouteDeps {
  tasks: TaskRepository;
  settings: TaskSettingsReader;
  /** Brings Temporal in line after a change. */
  follow(taskId: string): Promise<void>;
  publish(events: readonly StoredEvent[]): void;
}

export function createTaskRoutes({ tasks, settings, follow, publish }: TaskRouteDeps): Route[] {
  const nextRuns = createNextRuns(NEXT);
  const shown = ({ timing, ...task }: StoredTask): Task => ({
    ...task,
    nextRuns: task.enabled ? nextRuns(timing) : [],
  });
  const definitionOf = ({ updatedAt: _, pausedReason: _1, problem: _2, lastRun: _3, ...task }: StoredTask) =>
    task;

  async function followed({
    task,
    events,
  }: {
    task: StoredTask;
    events: readonly StoredEvent[];
  }): Promise<Task> {
    publish(events);
    await follow(task.id);
    return shown(task);
  }

  return [
    route({
      method: 'GET',
      path: base,
      access: 'myntrix:tasks:read',
      summary: 'List your scheduled tasks',
      query: Type.Object(
        {
          ...PageQuery,
          name: Type.Optional(Type.String({ maxLength: 200 })),
          enabled: Type.Optional(Type.Boolean()),
        },
        { additionalProperties: false },
      ),
      answers: { 200: { description: 'newest first; `lastRun` without its log', schema: Type.Array(Task) } },
      async handler({ user, query, request }) {
        const found: Task[] = [];
        for (const task of await tasks.list(user, query)) {
          found.push(shown(task));
          await turn(); // when each comes next takes milliseconds, which others do not wait for
        }
        return pageReply(found, query, request);
      },
    }),
    route({
      method: 'POST',
      path: base,
      access: 'myntrix:tasks:write',
      summary: 'Create a scheduled task',
      description:
        'What it does is done in your name, by what you may do then. `schedule` is a cron of five fields, of six with seconds first, of seven with the year last, @daily and the like, or `every 10m`; of both days given either is enough.',
      body: NewTask,
      answers: { 201: { description: 'the task', schema: Task } },
      errors: ['rate_limited'],
      async handler({ user, body }) {
        const made = await tasks.create(user, await settings.ofNew(user, body));
        return created(await followed(made), `${base}/${made.task.id}`);
      },
    }),
    route({
      method: 'POST',
      path: `${base}/preview`,
      access: 'myntrix:tasks:read',
      summary: 'See when a schedule would come',
      description: 'Ten times from now, or after `from`, and what changes of the clock do to them.',
      body: TaskPreviewRequest,
      answers: {
        200: { description: 'the times, and changes of the clock among them', schema: TaskPreview },
      },
      audit: false,
      async handler({ body: { schedule, timezone = 'UTC', from } }) {
        const { timing, problems } = scheduleOf(schedule, timezone);
        const [first] = problems;
        if (first || !timing)
          throw new AppError('invalid', `The schedule has a problem: ${first?.message}`, {
            errors: problems,
          });
        const times = preview(timing, from === undefined ? new Date() : new Date(from), PREVIEWED);
        return ok({ ...times, timezone, cron: timing.kind === 'cron' ? timing.cron : null });
      },
    }),
    route({
      method: 'GET',
      path: `${base}/{id}`,
      access: 'myntrix:tasks:read',
      summary: 'Read a scheduled task',
      params: IdParams,
      answers: { 200: { description: 'the task, what it did last and when it comes next', schema: Task } },
      async handler({ user, params }) {
        const task = await tasks.get(user, params.id);
        return ok(shown(task), { ETag: etagOf(definitionOf(task)) });
      },
    }),
    route({
      method: 'PUT',
      path: `${base}/{id}`,
      access: 'myntrix:tasks:write',
      summary: 'Change a scheduled task',
      description: 'Ticks that go on are as they were. Honours If-Match.',
      params: IdParams,
      body: TaskUpdate,
      headers: { 'If-Match': 'the ETag of what was read' },
      answers: { 200: { description: 'the task as it is now', schema: Task } },
      errors: ['conflict', 'precondition_failed', 'rate_limited'],
      async handler({ user, params, body, request }) {
        const before = await tasks.get(user, params.id);
        requireUnchanged(before, body);
        const wanted = await settings.ofUpdate(user, before, body);
        const changed = await tasks.update(user, params.id, (current) => {
          requireMatch(request.header('If-Match'), etagOf(definitionOf(current)));
          if (current.updatedAt !== before.updatedAt)
            throw new AppError(
              'conflict',
              'The task was changed at the same time; nothing was saved. Try again.',
            );
          return wanted;
        });
        const task = await followed(changed);
        return ok(task, { ETag: etagOf(definitionOf(changed.task)) });
      },
    }),
    route({
      method: 'DELETE',
      path: `${base}/{id}`,
      access: 'myntrix:tasks:write',
      summary: 'Delete a scheduled task',
      description: 'Ticks that go on end by themselves; those that wait are cancelled. Its history stays.',
      params: IdParams,
      answers: { 204: { description: 'nobody finds it any more' } },
      async handler({ user, params }) {
        publish(await tasks.remove(user, params.id));
        await follow(params.id);
        return noContent();
      },
    }),
    ...(['pause', 'resume'] as const).map((verb) =>
      route({
        method: 'POST',
        path: `${base}/{id}/${verb}`,
        access: 'myntrix:tasks:write',
        summary: verb === 'pause' ? 'Pause a scheduled task' : 'Resume a scheduled task',
        description:
          verb === 'pause'
            ? 'No tick comes from now on (`enabled` is false); those that began go on.'
            : 'What would have come meanwhile is not made up for; `backfill` does that.',
        params: IdParams,
        answers: { 200: { description: 'the task as it is now', schema: Task } },
        handler: async ({ user, params }) =>
          ok(await followed(await tasks.setEnabled(user, params.id, verb === 'resume'))),
      }),
    ),
  ];
}

/** @throws AppError `invalid` naming what cannot be changed */
function requireUnchanged(before: StoredTask, body: TaskUpdate): void {
  const errors = (['id', 'owner_id', 'createdAt'] as const)
    .filter((key) => body[key] !== undefined && body[key] !== before[key])
    .map((key) => ({
      path: `/${key}`,
      message: `"${key}" cannot be changed here; it is ${JSON.stringify(before[key])}`,
    }));
  const [first] = errors;
  if (first) throw new AppError('invalid', `A read-only field would change: ${first.message}.`, { errors });
}
