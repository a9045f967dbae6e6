import { defineEntity, p } from '@mikro-orm/postgresql';
import type { RunProblem, RunTrigger, StepStatus } from '../../domain/neosyntis/runs.ts';
import type { Json } from '../../domain/wire.ts';

export const RunEntity = defineEntity({
  name: 'Run',
  tableName: 'runs',
  properties: {
    id: p.uuid().primary(),
    workflow_id: p.uuid(),
    version: p.integer(),
    started_by: p.uuid(),
    input: p.json().$type<Json>().nullable(),
    output: p.json().$type<Json>().nullable(),
    error: p.json().$type<RunProblem>().nullable(),
    /** The highest number of a change that was applied. */
    projected: p.bigint('number').default(0),
    /** Temporal's id of the execution that the row tells of; null before it told anything. */
    execution: p.text().nullable(),
    steps_total: p.integer().default(0),
    rerun_of: p.uuid().nullable(),
    rerun_from: p.text().nullable(),
    rerun_iteration: p.array().$type<number[]>().columnType('integer[]').nullable(),
    parent_run_id: p.uuid().nullable(),
    parent_path: p.text().nullable(),
    parent_iteration: p.array().$type<number[]>().columnType('integer[]').nullable(),
    parent_attempt: p.integer().nullable(),
    /** Whether it shall be paused, or resumed; null when nobody asked. */
    pause_wanted: p.boolean().nullable(),
    /** Whether who started it might run code on a host then: runs that it starts may not do more. */
    may_run_code: p.boolean().default(false),
    /** What began it; null is by hand. */
    trigger: p.json().$type<RunTrigger>().nullable(),
  },
});

export const RunStepEntity = defineEntity({
  name: 'RunStep',
  tableName: 'run_steps',
  properties: {
    run_id: p.uuid().primary(),
    path: p.text().primary(),
    iteration: p.array().$type<number[]>().columnType('integer[]').primary(),
    /** The number of the change that made it: steps are listed in this order. */
    ordinal: p.bigint('number'),
    name: p.text(),
    kind: p.text(),
    status: p.text().$type<StepStatus>(),
    attempt: p.integer(),
    host: p.text().nullable(),
    started_at: p.datetime(3).nullable(),
    ended_at: p.datetime(3).nullable(),
    input: p.json().$type<Json>().nullable(),
    input_blob: p.text().nullable(),
    output: p.json().$type<Json>().nullable(),
    output_blob: p.text().nullable(),
    error: p.json().$type<RunProblem>().nullable(),
    directive: p.text().nullable(),
    /** A list of what it exported. */
    context: p.json().$type<[Json]>().nullable(),
    context_blob: p.text().nullable(),
    reused: p.boolean().default(false),
    /** Of the changes with which its latest attempt began and ended. */
    begun: p.bigint('number').nullable(),
    ended: p.bigint('number').nullable(),
    queue_ms: p.bigint('number').nullable(),
    wait_ms: p.bigint('number').nullable(),
    approval_id: p.uuid().nullable(),
    idempotent: p.boolean().nullable(),
  },
});

/** Attempts of steps before their latest one. */
export const RunStepAttemptEntity = defineEntity({
  name: 'RunStepAttempt',
  tableName: 'run_step_attempts',
  properties: {
    run_id: p.uuid().primary(),
    path: p.text().primary(),
    iteration: p.array().$type<number[]>().columnType('integer[]').primary(),
    attempt: p.integer().primary().autoincrement(false),
    status: p.text().$type<StepStatus>(),
    host: p.text().nullable(),
    started_at: p.datetime(3).nullable(),
    ended_at: p.datetime(3).nullable(),
    error: p.json().$type<RunProblem>().nullable(),
    queue_ms: p.bigint('number').nullable(),
    wait_ms: p.bigint('number').nullable(),
  },
});
