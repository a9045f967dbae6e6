/** Every workflow type, for the bundle. */
export { agentLifecycle } from './myntrix/agents.ts';
export { deviceJobs } from './myntrix/device-jobs.ts';
export { deviceSession } from './myntrix/devices.ts';
export { notifyOfTask, taskRun } from './myntrix/tasks.ts';
export { cancelRuns } from './neosyntis/bulk.ts';
export { startByEvents } from './neosyntis/event-starts.ts';
export { notifyOfRun } from './neosyntis/notifications.ts';
export { neosyntisRun } from './neosyntis/runs.ts';
export { readSource } from './neosyntis/sources.ts';
export { deliverMail } from './system/mail.ts';
export { reconcile } from './system/reconcile.ts';
export { retention } from './system/retention.ts';
export { schedulePacer, scheduleTick, taskTick } from './system/schedules.ts';
