import { createAgentSchedules } from '../../db/myntrix/agent-schedules.ts';
import { createAgentRepository } from '../../db/myntrix/agents.ts';
import { createJobRepository } from '../../db/myntrix/jobs.ts';
import { createSystemMetricsRepository } from '../../db/myntrix/system-metrics.ts';
import { createTasksByHand } from '../../db/myntrix/task-by-hand.ts';
import { createTaskHistory } from '../../db/myntrix/task-history.ts';
import { createTaskOrders } from '../../db/myntrix/task-orders.ts';
import { createTaskWriter } from '../../db/myntrix/task-write.ts';
import { createTaskRepository } from '../../db/myntrix/tasks.ts';
import { createSceneRepository } from '../../db/myntrix/visualization.ts';
import { taskClock } from '../../drivers/schedules/clock.ts';
import { tickIdOf } from '../../drivers/schedules/tick-id.ts';
import type { Route } from '../http/route.ts';
import type { SocketRoute } from '../http/socket.ts';
import type { ModuleDeps } from '../module.ts';
import type { Neosyntis } from '../neosyntis/module.ts';
import { createAgentLogs } from './agent-logs.ts';
import { createAgentOrderRoutes } from './agent-order-routes.ts';
import { createAgentOrders } from './agent-orders.ts';
import { createAgentRoutes } from './agents.ts';
import { createAgentSocket } from './agents-socket.ts';
import { createDevices } from './devices-module.ts';
import { createJobRoutes } from './jobs.ts';
import { createSystemMetricsRoutes } from './system-metrics.ts';
import { createTaskCancel, createTaskRunRoutes } from './task-runs.ts';
import { createTaskSettings } from './task-settings.ts';
import { createTaskRoutes } from './tasks.ts';
import { createVisualizationRoutes, createVisualizationSocket } from './visualization.ts';

export interface MyntrixDeps extends ModuleDeps {
  neosyntis: Neosyntis;
}

/** Machines, agents, devices, tasks and everybody's jobs. */
export function createMyntrix(deps: MyntrixDeps) {
  const { config, database, bus, temporal, streams, envelope, publish, follow, log, neosyntis } = deps;
  const { workflows, definitions, cancel } = neosyntis;
  const jobs = createJobRepository(database);
  const agents = createAgentRepository(database);
  const ticking = { database, clock: taskClock, idOf: tickIdOf };
  const writeTask = createTaskWriter({ ...ticking, envelope });
  const tasks = createTaskRepository(database, writeTask);
  const taskOrders = createTaskOrders(database);
  const readLog = createAgentLogs(bus);
  const agentOrders = createAgentOrders({
    agents,
    temporal,
    ends: streams.ends,
    schedules: createAgentSchedules(writeTask),
    follow,
    publish,
    log,
  });
  const systemMetrics = createSystemMetricsRepository(database);
  const devices = createDevices({ ...deps, jobs });

  const routes: Route[] = [
    ...createJobRoutes({
      jobs,
      cancel: {
        workflow_run: cancel,
        cancel_runs: cancel,
        gcode: devices.cancelJob,
        device_upload: devices.cancelJob,
        firmware: devices.cancelJob,
        task_run: createTaskCancel(taskOrders, temporal, publish),
      },
    }),
    ...createTaskRunRoutes({
      tasks,
      byHand: createTasksByHand(ticking),
      orders: taskOrders,
      history: createTaskHistory(database),
      temporal,
      publish,
      log,
    }),
    ...createTaskRoutes({
      tasks,
      settings: createTaskSettings({
        agents,
        workflows,
        definitions,
        defaultHost: config.VAREON_HOST_NAME,
      }),
      follow,
      publish,
    }),
    ...createSystemMetricsRoutes({ metrics: systemMetrics, defaultHost: config.VAREON_HOST_NAME }),
    ...createAgentOrderRoutes({ agents, orders: agentOrders }),
    ...createAgentRoutes({
      agents,
      orders: agentOrders,
      readLog,
      defaultHost: config.VAREON_HOST_NAME,
    }),
    ...devices.routes,
    ...createVisualizationRoutes({
      scenes: createSceneRepository(database),
      keepDays: config.VAREON_KEEP_STATES_DAYS,
    }),
  ];
  const sockets: SocketRoute[] = [
    createAgentSocket({ agents, readLog }),
    createVisualizationSocket({ stream: streams.scenes }),
    ...devices.sockets,
  ];
  return { routes, sockets, troubles: systemMetrics.troubles };
}
