import type { TaskRunStatus } from '../../domain/myntrix/task-runs.ts';
import type { Json } from '../../domain/wire.ts';
import type { NewEvent } from '../system/events.ts';

/** What `/ws/events` tells of a task, and of its ticks. */
export const taskEvent = (
  task: { id: string; owner_id: string; name: string },
  what: string,
  data: { [key: string]: Json } = {},
): NewEvent => ({
  topic: 'tasks',
  type: `task.${what}`,
  source: '/myntrix/tasks',
  subject: task.id,
  ownerId: task.owner_id,
  data: { id: task.id, name: task.name, ...data },
});

export interface ToldTick {
  id: string;
  status: TaskRunStatus;
  at: Date;
  reason?: string | null | undefined;
}

export const tickEvent = (
  task: { id: string; owner_id: string; name: string },
  { id, status, at, reason }: ToldTick,
): NewEvent =>
  taskEvent(task, `run.${status}`, {
    run: { id, status, scheduledAt: at.toISOString(), reason: reason ?? null },
  });
