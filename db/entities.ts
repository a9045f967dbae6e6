import { ApiTokenEntity } from './auth/api-tokens.ts';
import { EmailTokenEntity } from './auth/email-tokens.ts';
import { RefreshTokenEntity, SessionEntity } from './auth/sessions.ts';
import { UserEntity } from './auth/users.ts';
import { WsTicketEntity } from './auth/ws-tickets.ts';
import { AgentEntity } from './myntrix/agents.ts';
import { DeviceCommandEntity } from './myntrix/device-commands.ts';
import { DeviceJobEntity } from './myntrix/device-jobs.ts';
import { DeviceLineEntity } from './myntrix/device-lines.ts';
import { DeviceEntity } from './myntrix/device-rows.ts';
import { DeviceSettingsEntity } from './myntrix/device-settings.ts';
import { DeviceLatestEntity } from './myntrix/device-telemetry.ts';
import { DeviceUploadEntity } from './myntrix/device-uploads.ts';
import { JobEntity } from './myntrix/jobs.ts';
import { JobLogEntity, LogStreamEntity } from './myntrix/logs.ts';
import { StateChangeEntity, StateSubjectEntity } from './myntrix/states.ts';
import { SystemMetricPointEntity, SystemMetricsEntity } from './myntrix/system-metrics.ts';
import { TaskEntity, TaskRunEntity } from './myntrix/task-entities.ts';
import { ApprovalEntity } from './neosyntis/approvals.ts';
import { EventSetEntity, EventStartDueEntity, EventStartEntity } from './neosyntis/event-starts.ts';
import { EventSubscriptionEntity } from './neosyntis/event-subscriptions.ts';
import { EventDeliveryEntity, InboxEventEntity } from './neosyntis/events.ts';
import { RunEventEntity } from './neosyntis/frames.ts';
import { LifecycleDueEntity } from './neosyntis/lifecycle.ts';
import { NotificationsEntity, RunNotificationEntity } from './neosyntis/notifications.ts';
import { RunEntity, RunStepAttemptEntity, RunStepEntity } from './neosyntis/run-entities.ts';
import { SecretEntity } from './neosyntis/secrets.ts';
import { TelemetryDirtyEntity, TelemetryRollupEntity } from './neosyntis/telemetry-rollups.ts';
import { TelemetrySeriesEntity } from './neosyntis/telemetry-series.ts';
import { TelemetryReadingEntity } from './neosyntis/telemetry-write.ts';
import { WorkflowVersionEntity } from './neosyntis/workflow-versions.ts';
import { WorkflowEntity } from './neosyntis/workflows.ts';
import { AuditEntryEntity } from './system/audit.ts';
import { EventCounterEntity, EventEntity } from './system/events.ts';
import { HostEnrolmentEntity } from './system/host-enrolments.ts';
import { HostGrantEntity } from './system/host-grants.ts';
import { HostEntity } from './system/hosts.ts';
import { IdempotencyKeyEntity } from './system/idempotency.ts';
import { OutboxMailEntity } from './system/outbox.ts';
import { PrunedEntity } from './system/retention.ts';
import { ScheduleEntity } from './system/schedules.ts';

/** Every table, for MikroORM. */
export const entities = [
  UserEntity,
  SessionEntity,
  RefreshTokenEntity,
  EmailTokenEntity,
  ApiTokenEntity,
  WsTicketEntity,
  OutboxMailEntity,
  AuditEntryEntity,
  HostEntity,
  HostEnrolmentEntity,
  HostGrantEntity,
  EventEntity,
  EventCounterEntity,
  PrunedEntity,
  IdempotencyKeyEntity,
  WorkflowEntity,
  WorkflowVersionEntity,
  JobEntity,
  JobLogEntity,
  LogStreamEntity,
  RunEntity,
  RunStepEntity,
  RunStepAttemptEntity,
  RunEventEntity,
  SecretEntity,
  InboxEventEntity,
  EventDeliveryEntity,
  EventSubscriptionEntity,
  EventStartEntity,
  EventStartDueEntity,
  EventSetEntity,
  LifecycleDueEntity,
  ScheduleEntity,
  ApprovalEntity,
  NotificationsEntity,
  RunNotificationEntity,
  SystemMetricsEntity,
  SystemMetricPointEntity,
  AgentEntity,
  DeviceEntity,
  DeviceCommandEntity,
  DeviceSettingsEntity,
  DeviceUploadEntity,
  DeviceJobEntity,
  TaskEntity,
  TaskRunEntity,
  TelemetrySeriesEntity,
  TelemetryReadingEntity,
  TelemetryRollupEntity,
  TelemetryDirtyEntity,
  DeviceLatestEntity,
  DeviceLineEntity,
  StateSubjectEntity,
  StateChangeEntity,
] as const;
