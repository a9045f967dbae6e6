import { type Static, Type } from 'typebox';
import { BULK_JOB } from '../neosyntis/bulk.ts';
import { runStatuses } from '../neosyntis/runs.ts';
import { AnyJson, Id, literals, Time } from '../wire.ts';
import { deviceJobTypes } from './device-jobs.ts';

export const jobStatuses = runStatuses;

/** What a job is: a run of a workflow, the cancelling of many, the start of an agent, a tick of a scheduled task, a file for a device. */
export const jobTypes = [
  'workflow_run',
  BULK_JOB,
  'agent_start',
  'agent_stop',
  'agent_restart',
  'task_run',
  ...deviceJobTypes,
] as const;
export type JobType = (typeof jobTypes)[number];

/** Anything that takes longer than a request; each run of a workflow is one (`details.run_id`). */
export const Job = Type.Object(
  {
    id: Id,
    name: Type.String(),
    type: literals(jobTypes),
    status: literals(jobStatuses),
    progress: Type.Number({ minimum: 0, maximum: 100 }),
    createdAt: Time,
    updatedAt: Time,
    logs: Type.String({ description: 'the last 4 KiB; the rest at …/logs' }),
    details: AnyJson,
  },
  { $id: 'Job' },
);
export type Job = Static<typeof Job>;

export const JobStarted = Type.Object({ job_id: Id, status: literals(jobStatuses) }, { $id: 'JobStarted' });
