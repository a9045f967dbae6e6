import type { RunStatus } from '../../domain/neosyntis/runs.ts';
import type { NewEvent } from '../system/events.ts';

/** What `/ws/events` says when a run changes: one event on `runs`, one on `jobs`. */
export function runEvents(run: {
  runId: string;
  ownerId: string | null;
  status: RunStatus;
  progress: number;
}): NewEvent[] {
  const common = { subject: run.runId, ownerId: run.ownerId };
  return [
    {
      ...common,
      topic: 'runs',
      type: `run.${run.status}`,
      source: '/neosyntis/runs',
      data: { run_id: run.runId, status: run.status },
    },
    {
      ...common,
      topic: 'jobs',
      type: `job.${run.status}`,
      source: '/myntrix/jobs',
      data: { id: run.runId, type: 'workflow_run', status: run.status, progress: run.progress },
    },
  ];
}
