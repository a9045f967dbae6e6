import { createAgentVerbs } from '../../activities/platform/myntrix/agent-verbs.ts';
import { createAgentActivities, createAgentReconciler } from '../../activities/platform/myntrix/agents.ts';
import { createDeviceJobVerbs } from '../../activities/platform/myntrix/device-job-verbs.ts';
import {
  createDeviceJobActivities,
  createDeviceJobReconciler,
} from '../../activities/platform/myntrix/device-jobs.ts';
import { createDeviceVerbs } from '../../activities/platform/myntrix/device-verbs.ts';
import { createDeviceActivities, createDeviceReconciler } from '../../activities/platform/myntrix/devices.ts';
import { createTaskNotifications } from '../../activities/platform/myntrix/task-notifications.ts';
import { createTaskReconciler } from '../../activities/platform/myntrix/task-reconcile.ts';
import { attemptId, createTaskActivities } from '../../activities/platform/myntrix/tasks.ts';
import { createTaskAttempts } from '../../db/myntrix/task-attempts.ts';
import { createTaskEnds } from '../../db/myntrix/task-ends.ts';
import { createTaskOrders } from '../../db/myntrix/task-orders.ts';
import { createTaskReconciliation } from '../../db/myntrix/task-reconcile.ts';
import { createTaskTicks } from '../../db/myntrix/task-ticks.ts';
import { taskClock } from '../../drivers/schedules/clock.ts';
import { tickIdOf } from '../../drivers/schedules/tick-id.ts';
import type { PlatformDeps } from './deps.ts';

export type MyntrixWork = ReturnType<typeof createMyntrixWork>;

/** Agents, devices and tasks. */
export function createMyntrixWork(deps: PlatformDeps) {
  const { database, bus, client, blobs, starter, envelope, outbox, notifyWebhook, log } = deps;
  const { schedules, carrier, publish } = deps;
  const ticking = { database, clock: taskClock, idOf: tickIdOf };
  const tasks = createTaskActivities({
    client,
    ticks: createTaskTicks({ ...ticking, firstRun: (tickId) => attemptId(tickId, 1) }),
    orders: createTaskOrders(database),
    attempts: createTaskAttempts(database),
    ends: createTaskEnds(database),
    schedules,
    carrier,
    startRun: starter.startRun,
    publish,
  });
  const { sendTaskNotifications, notifyTaskByWebhook } = createTaskNotifications({
    database,
    outbox,
    envelope,
    notifyWebhook,
    startMail: starter.startMail,
    startWebhook: starter.startTaskWebhook,
  });
  return {
    activities: {
      ...createAgentActivities({ database, bus }),
      ...createDeviceActivities({ database, bus }),
      ...createDeviceJobActivities({ database, bus }),
      ...tasks.activities,
    },
    /** Those that wait for other servers. */
    outboundActivities: { notifyTaskByWebhook },
    verbs: {
      ...createAgentVerbs({ database, bus, client }),
      ...createDeviceVerbs({ database, bus, client }),
      ...createDeviceJobVerbs({ database, bus, client, blobs }),
    },
    reconcilers: {
      reconcileAgents: createAgentReconciler({ database, client }),
      reconcileDevices: createDeviceReconciler({ database, client }),
      reconcileDeviceJobs: createDeviceJobReconciler({ database, client }),
      reconcileTasks: createTaskReconciler({
        client,
        rows: createTaskReconciliation(ticking),
        tasks,
        log,
      }),
    },
    ticks: tasks.handler,
    taskRunEnded: tasks.runEnded,
    sendNotifications: sendTaskNotifications,
  };
}
