import { type Static, Type } from 'typebox';
import type { RunStatus } from '../neosyntis/runs.ts';
import { Id, literals, nullable, PageQuery, Time } from '../wire.ts';

export const taskRunStatuses = [
  'pending',
  'running',
  'success',
  'failed',
  'skipped',
  'missed',
  'cancelled',
] as const;
export type TaskRunStatus = (typeof taskRunStatuses)[number];

/** How a tick of a task can end that began. */
export type TaskRunEnd = Extract<TaskRunStatus, 'success' | 'failed' | 'cancelled'>;

export const taskTriggers = ['schedule', 'backfill', 'manual', 'rerun'] as const;
export type TaskTrigger = (typeof taskTriggers)[number];

/** How a tick's job shows; what never began has none. */
export const jobStatusOf: Record<TaskRunEnd, RunStatus> = {
  success: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
};

/** One tick of a task, or what somebody began by hand. */
export const TaskRun = Type.Object(
  {
    id: Id,
    taskId: Id,
    scheduledAt: Type.String({
      format: 'date-time',
      description: 'the nominal time; by hand, when it was asked for',
    }),
    trigger: literals(taskTriggers),
    startTime: nullable(Time),
    endTime: nullable(Time),
    status: literals(taskRunStatuses),
    attempt: Type.Integer({ description: '0 until it begins' }),
    overran: Type.Boolean({ description: 'a later tick came while it went on' }),
    reason: nullable(Type.String({ description: 'why it failed, or did not begin' })),
    run_id: nullable(
      Type.String({ format: 'uuid', description: 'of its last attempt: see /api/neosyntis/runs/{run_id}' }),
    ),
    job_id: nullable(Type.String({ format: 'uuid', description: 'none of what never began' })),
    rerunOf: nullable(Id),
    logs: Type.String({ description: 'the last 16 KiB; the rest is at /api/myntrix/jobs/{job_id}/logs' }),
  },
  { $id: 'TaskRun' },
);
export type TaskRun = Static<typeof TaskRun>;

export const historyQuery = Type.Object(
  {
    ...PageQuery,
    status: Type.Optional(literals(taskRunStatuses)),
    trigger: Type.Optional(literals(taskTriggers)),
    from: Type.Optional(Time),
    to: Type.Optional(Time),
  },
  { additionalProperties: false },
);
