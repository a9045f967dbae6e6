import { defineEntity, p } from '@mikro-orm/postgresql';
import type { TaskAction } from '../../domain/myntrix/task-actions.ts';
import type { TaskRunStatus, TaskTrigger } from '../../domain/myntrix/task-runs.ts';
import type { OverlapPolicy, ToldKind } from '../../domain/myntrix/tasks.ts';
import type { Recurring } from '../../domain/system/schedules.ts';

export const TaskEntity = defineEntity({
  name: 'Task',
  tableName: 'tasks',
  properties: {
    id: p.uuid().primary(),
    owner_id: p.uuid(),
    name: p.text(),
    description: p.text(),
    schedule: p.text(),
    timezone: p.text(),
    timing: p.json().$type<Recurring>(),
    action: p.json().$type<TaskAction>().columnType('json'),
    enabled: p.boolean(),
    overlap: p.text().$type<OverlapPolicy>(),
    jitter_seconds: p.integer(),
    catch_up_seconds: p.integer(),
    start_at: p.datetime(3).nullable(),
    end_at: p.datetime(3).nullable(),
    pause_on_failure: p.boolean(),
    paused_reason: p.text().nullable(),
    told: p.array().$type<ToldKind[]>().columnType('text[]'),
    email: p.array().$type<string[]>().columnType('text[]'),
    webhook_url: p.text().nullable(),
    sealed: p.blob().nullable(),
    key_id: p.text().nullable().generated("encode(substring(sealed from 2 for 8), 'hex') stored"),
    /** What its steps are saved as, when it runs some. */
    workflow_id: p.uuid().nullable(),
    /** The agent whose configuration asks for it, and the order that it gives. */
    agent_id: p.uuid().nullable(),
    agent_command: p.text().nullable(),
    /** The first nominal time that has no row yet. */
    next_at: p.datetime(3).nullable(),
    removed: p.boolean().default(false),
    created_at: p.datetime(3),
    updated_at: p.datetime(3),
  },
});

export const TaskRunEntity = defineEntity({
  name: 'TaskRun',
  tableName: 'task_runs',
  properties: {
    id: p.uuid().primary(),
    task_id: p.uuid(),
    trigger: p.text().$type<TaskTrigger>(),
    scheduled_at: p.datetime(3),
    status: p.text().$type<TaskRunStatus>(),
    /** It waits for the end of one before. */
    buffered: p.boolean().default(false),
    start_time: p.datetime(3).nullable(),
    end_time: p.datetime(3).nullable(),
    attempt: p.integer().default(0),
    overran: p.boolean().default(false),
    reason: p.text().nullable(),
    run_id: p.uuid().nullable(),
    /** Somebody wants it to end: no other attempt begins. */
    cancel_asked: p.boolean().default(false),
    has_job: p.boolean(),
    rerun_of: p.uuid().nullable(),
    /** Somebody is to be told of it; null when nobody is, or was. */
    notify_at: p.datetime(3).nullable(),
    created_at: p.datetime(3),
  },
});
