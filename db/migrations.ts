import { AuthAndSystem } from './migrations/0001-auth-and-system.ts';
import { WorkflowsAndRuns } from './migrations/0002-workflows-and-runs.ts';
import { Hosts } from './migrations/0003-hosts.ts';
import { HostsEnrolment } from './migrations/0004-hosts-enrolment.ts';
import { Secrets } from './migrations/0005-secrets.ts';
import { Retention } from './migrations/0006-retention.ts';
import { RunExecutions } from './migrations/0007-run-executions.ts';
import { RunPauses } from './migrations/0008-run-pauses.ts';
import { Events } from './migrations/0009-events.ts';
import { VersionNotes } from './migrations/0010-version-notes.ts';
import { StepsAndReruns } from './migrations/0011-steps-and-reruns.ts';
import { Approvals } from './migrations/0012-approvals.ts';
import { Schedules } from './migrations/0013-schedules.ts';
import { EventStarts } from './migrations/0014-event-starts.ts';
import { SystemMetrics } from './migrations/0015-system-metrics.ts';
import { Agents } from './migrations/0016-agents.ts';
import { Tasks } from './migrations/0017-tasks.ts';
import { Telemetry } from './migrations/0018-telemetry.ts';

/** Every migration in order. One that has been released is never changed; a new one follows it. */
export const migrations = [
  { name: '0001-auth-and-system', class: AuthAndSystem },
  { name: '0002-workflows-and-runs', class: WorkflowsAndRuns },
  { name: '0003-hosts', class: Hosts },
  { name: '0004-hosts-enrolment', class: HostsEnrolment },
  { name: '0005-secrets', class: Secrets },
  { name: '0006-retention', class: Retention },
  { name: '0007-run-executions', class: RunExecutions },
  { name: '0008-run-pauses', class: RunPauses },
  { name: '0009-events', class: Events },
  { name: '0010-version-notes', class: VersionNotes },
  { name: '0011-steps-and-reruns', class: StepsAndReruns },
  { name: '0012-approvals', class: Approvals },
  { name: '0013-schedules', class: Schedules },
  { name: '0014-event-starts', class: EventStarts },
  { name: '0015-system-metrics', class: SystemMetrics },
  { name: '0016-agents', class: Agents },
  { name: '0017-tasks', class: Tasks },
  { name: '0018-telemetry', class: Telemetry },
] as const;
