import type { Config } from '../config.ts';
import { createAgentSchedules } from '../db/myntrix/agent-schedules.ts';
import { createAgentRepository } from '../db/myntrix/agents.ts';
import { createDeviceCommandStore } from '../db/myntrix/device-commands.ts';
import { createDeviceJobs } from '../db/myntrix/device-jobs.ts';
import { createDeviceSettingsRepository } from '../db/myntrix/device-settings.ts';
import { createDeviceTelemetryStore } from '../db/myntrix/device-telemetry.ts';
import { createDeviceUploads } from '../db/myntrix/device-uploads.ts';
import { createDeviceRepository } from '../db/myntrix/devices.ts';
import { createJobRepository } from '../db/myntrix/jobs.ts';
import { createSystemMetricsRepository } from '../db/myntrix/system-metrics.ts';
import { createTasksByHand } from '../db/myntrix/task-by-hand.ts';
import { createTaskHistory } from '../db/myntrix/task-history.ts';
import { createTaskOrders } from '../db/myntrix/task-orders.ts';
import { createTaskWriter } from '../db/myntrix/task-write.ts';
import { createTaskRepository } from '../db/myntrix/tasks.ts';
import { createSceneRepository } from '../db/myntrix/visualization.ts';
import { createApprovalRepository } from '../db/neosyntis/approvals.ts';
import { createBulkRepository } from '../db/neosyntis/bulk.ts';
import { createEventStore } from '../db/neosyntis/events.ts';
import { createGraphRepository } from '../db/neosyntis/graph.ts';
import { createNotificationRepository } from '../db/neosyntis/notifications.ts';
import { createReuseRepository } from '../db/neosyntis/reuse.ts';
import { createRunIntents } from '../db/neosyntis/run-intents.ts';
import { createRunRepository } from '../db/neosyntis/runs.ts';
import { createWorkflowScheduleRepository } from '../db/neosyntis/schedules.ts';
import { createSecretValues } from '../db/neosyntis/secret-values.ts';
import { createSecretRepository } from '../db/neosyntis/secrets.ts';
import { createStepRepository } from '../db/neosyntis/steps.ts';
import { createTelemetryAnswers } from '../db/neosyntis/telemetry-answers.ts';
import { createTelemetryQueries } from '../db/neosyntis/telemetry-query.ts';
import { createTelemetrySeriesRepository } from '../db/neosyntis/telemetry-series.ts';
import { createTelemetryWriter } from '../db/neosyntis/telemetry-write.ts';
import { createTimelineRepository } from '../db/neosyntis/timeline.ts';
import { workflowOwnership } from '../db/neosyntis/workflow-ownership.ts';
import { createWorkflowRepository } from '../db/neosyntis/workflows.ts';
import type { Database } from '../db/orm.ts';
import { rows } from '../db/sql.ts';
import { createAuditLog } from '../db/system/audit.ts';
import { createEnrolmentRepository } from '../db/system/host-enrolments.ts';
import { createHostGrantRepository } from '../db/system/host-grants.ts';
import { createHostLeases } from '../db/system/host-leases.ts';
import { createHostRepository } from '../db/system/hosts.ts';
import { createOutbox } from '../db/system/outbox.ts';
import { prunedTotals } from '../db/system/retention.ts';
import { createWantedSchedules } from '../db/system/schedules.ts';
import { createStatusCounts } from '../db/system/status.ts';
import { mailWorkflowId, PLATFORM_QUEUE, workflowTypes } from '../domain/names.ts';
import type { CheckExpressions } from '../domain/neosyntis/definition.ts';
import { createNews } from '../drivers/bus/news.ts';
import type { Bus } from '../drivers/bus/port.ts';
import { createHostAsker } from '../drivers/devices/ask-hosts.ts';
import { createHearingRecord } from '../drivers/devices/command-record.ts';
import { createCommandGiver } from '../drivers/devices/give-command.ts';
import { createGuardedEvaluator } from '../drivers/expressions/guarded.ts';
import { createPayloadCodec } from '../drivers/payloads/codec.ts';
import { createPayloadDecoder } from '../drivers/payloads/decoder.ts';
import { createKeptValues } from '../drivers/payloads/kept-values.ts';
import { taskClock } from '../drivers/schedules/clock.ts';
import { tickIdOf } from '../drivers/schedules/tick-id.ts';
import { createEnvelope } from '../drivers/secrets/envelope.ts';
import type { BlobStore } from '../drivers/storage/port.ts';
import type { Keys } from '../keys.ts';
import type { Logger } from '../logs.ts';
import { VERSION } from '../version.ts';
import { createAuthenticator } from './auth/authenticator.ts';
import { createAuthRoutes } from './auth/routes.ts';
import type { DatabaseWatch } from './database-watch.ts';
import { createHostBlobRoutes, createOpenSteps } from './host/blobs.ts';
import { createDeviceSecretRoutes } from './host/device-secrets.ts';
import { createHostDeviceSettingsRoutes } from './host/device-settings.ts';
import { createHostSecretRoutes } from './host/secrets.ts';
import { createHostUploadRoutes } from './host/uploads.ts';
import { createOpenApi } from './http/openapi.ts';
import type { DeviceStreams } from './live/devices/streams.ts';
import type { createEventStream } from './live/events.ts';
import type { RunEnds } from './live/run-ends.ts';
import type { createRunStreams } from './live/runs.ts';
import type { SceneStream } from './live/scenes.ts';
import { createAgentLogs } from './myntrix/agent-logs.ts';
import { createAgentOrderRoutes } from './myntrix/agent-order-routes.ts';
import { createAgentOrders } from './myntrix/agent-orders.ts';
import { createAgentRoutes } from './myntrix/agents.ts';
import { createAgentSocket } from './myntrix/agents-socket.ts';
import { createDeviceCommandRoutes } from './myntrix/device-commands.ts';
import { createDeviceGateway } from './myntrix/device-gateway.ts';
import { createDeviceJobTeller } from './myntrix/device-job-teller.ts';
import { createDeviceJobCancel, createDeviceJobRoutes } from './myntrix/device-jobs.ts';
import { createDeviceOrders } from './myntrix/device-orders.ts';
import { createDeviceStop } from './myntrix/device-stop.ts';
import { createDeviceTelemetrySocket } from './myntrix/device-telemetry-socket.ts';
import { createDeviceUploadRoutes } from './myntrix/device-uploads.ts';
import { createDeviceRoutes } from './myntrix/devices.ts';
import { createHardwareRoutes } from './myntrix/hardware.ts';
import { createJobRoutes } from './myntrix/jobs.ts';
import { createSystemMetricsRoutes } from './myntrix/system-metrics.ts';
import { createTaskCancel, createTaskRunRoutes } from './myntrix/task-runs.ts';
import { createTaskSettings } from './myntrix/task-settings.ts';
import { createTaskRoutes } from './myntrix/tasks.ts';
import { createVisualizationRoutes, createVisualizationSocket } from './myntrix/visualization.ts';
import { createAnswers } from './neosyntis/answers.ts';
import { createApprovalRoutes } from './neosyntis/approvals.ts';
import { createBulkRoutes } from './neosyntis/bulk.ts';
import { createBulkRerunRoutes } from './neosyntis/bulk-rerun.ts';
import { createCancel } from './neosyntis/cancel.ts';
import { createDefinitions } from './neosyntis/definitions.ts';
import { createDeviceSettingsRoutes } from './neosyntis/device-settings.ts';
import { createEventRoutes } from './neosyntis/events.ts';
import { createGraphRoutes } from './neosyntis/graph.ts';
import { createNotificationRoutes } from './neosyntis/notifications.ts';
import { createPause } from './neosyntis/pause.ts';
import { createRerunRoutes } from './neosyntis/reruns.ts';
import { createRunSocket } from './neosyntis/run-socket.ts';
import { createRunRoutes } from './neosyntis/runs.ts';
import { createScheduleRoutes } from './neosyntis/schedules.ts';
import { createSecretRoutes } from './neosyntis/secrets.ts';
import { createSourceReader } from './neosyntis/sources.ts';
import { createStepRoutes } from './neosyntis/steps.ts';
import { createTelemetryRoutes } from './neosyntis/telemetry.ts';
import { createIngest } from './neosyntis/telemetry-ingest.ts';
import { createTrigger } from './neosyntis/trigger.ts';
import { createVersionRoutes } from './neosyntis/versions.ts';
import { createWorkflowRoutes } from './neosyntis/workflows.ts';
import { createAuditRoutes } from './system/audit.ts';
import { withRoom } from './system/audit-room.ts';
import { createDocsRoutes } from './system/docs.ts';
import { createEventsSocket } from './system/events-socket.ts';
import { createHostAccessRoutes } from './system/host-access.ts';
import type { HostAuthenticator } from './system/host-authenticator.ts';
import { createEnrolmentRoutes } from './system/host-enrolments.ts';
import { createHostGrantRoutes } from './system/host-grants.ts';
import { createHostPortRoutes } from './system/host-ports.ts';
import { createHostRemoval } from './system/host-removal.ts';
import { createHostSettings } from './system/host-settings.ts';
import { createHostRoutes } from './system/hosts.ts';
import { createMetrics, createMetricsRoutes } from './system/metrics.ts';
import { createReadiness } from './system/readiness.ts';
import { createStatusRoutes } from './system/status.ts';
import type { Temporal } from './temporal/client.ts';
import { createCodecRoutes } from './temporal/codec.ts';
import { createScheduleFollower } from './temporal/schedules.ts';

export interface SurfaceDeps {
  config: Config;
  keys: Keys;
  database: Database;
  bus: Bus;
  watch: DatabaseWatch;
  temporal: Temporal;
  hostAuthenticator: HostAuthenticator;
  blobs: BlobStore;
  streams: {
    runs: ReturnType<typeof createRunStreams>;
    events: ReturnType<typeof createEventStream>;
    ends: RunEnds;
    devices: DeviceStreams;
    scenes: SceneStream;
  };
  checkExpressions: CheckExpressions;
  log: Logger;
}

/** Every route and socket of the API, with what they need: the one place where modules meet. */
export function createSurface(deps: SurfaceDeps) {
  const { config, keys, database, bus, watch, temporal, hostAuthenticator, blobs, streams, log } = deps;
  const authenticator = createAuthenticator({ database, keys, config });
  const audit = createAuditLog(database);
  const writeAudit = withRoom(audit.write, log);
  const envelope = createEnvelope(keys.encryption);
  const workflows = createWorkflowRepository(database);
  const runs = createRunRepository(database);
  const steps = createStepRepository(database);
  const approvals = createApprovalRepository(database);
  const bulk = createBulkRepository(database);
  const jobs = createJobRepository(database);
  const hosts = createHostRepository(database);
  const enrolments = createEnrolmentRepository(database);
  const secretValues = createSecretValues(database, envelope);
  const definitions = createDefinitions(deps.checkExpressions, createSourceReader(temporal));
  const cancel = createCancel(temporal);
  const pause = createPause({ temporal, intents: createRunIntents(database), log });
  const publish = createNews(bus).events;
  const trigger = createTrigger({
    workflows,
    runs,
    temporal,
    ends: streams.ends,
    publish,
    legTasks: config.VAREON_LEG_TASKS,
    log,
  });
  const agents = createAgentRepository(database);
  const ticking = { database, clock: taskClock, idOf: tickIdOf };
  const writeTask = createTaskWriter({ ...ticking, envelope });
  const tasks = createTaskRepository(database, writeTask);
  const taskOrders = createTaskOrders(database);
  const readLog = createAgentLogs(bus);
  const devices = createDeviceRepository(database);
  const deviceUploads = createDeviceUploads(database);
  const deviceJobs = createDeviceJobs(database);
  const tellDeviceJobs = createDeviceJobTeller(temporal, log);
  const cancelDeviceJob = createDeviceJobCancel({ deviceJobs, tell: tellDeviceJobs, publish });
  const deviceCommands = createDeviceCommandStore(database);
  const deviceSettings = createDeviceSettingsRepository(database);
  const deviceOrders = createDeviceOrders({ devices, temporal, publish, log });
  const asker = createHostAsker(bus);
  const record = createHearingRecord(deviceCommands, deviceSettings);
  const giveCommand = createCommandGiver({ record, asker });
  // So that hosts are known when somebody asks for the first time; else it is tried again then.
  asker
    .listen()
    .catch((error: unknown) => log.warn({ err: error }, 'hosts of devices are not listened to yet'));
  const follow = createScheduleFollower({ temporal, wanted: createWantedSchedules(database), log });
  const agentOrders = createAgentOrders({
    agents,
    temporal,
    ends: streams.ends,
    schedules: createAgentSchedules(writeTask),
    follow,
    publish,
    log,
  });
  const removeHost = createHostRemoval({ database, hosts, bus, publish, authenticator: hostAuthenticator });
  const startMail = (mailId: string, expiresAt: string) =>
    temporal.call((client) =>
      client.workflow.start(workflowTypes.deliverMail, {
        workflowId: mailWorkflowId(mailId),
        taskQueue: PLATFORM_QUEUE,
        args: [{ mailId, expiresAt }],
      }),
    );

  const telemetrySeries = createTelemetrySeriesRepository(database);
  const systemMetrics = createSystemMetricsRepository(database);
  const counts = createStatusCounts(database);
  let openSockets = () => 0;
  const metrics = createMetrics({
    openSockets: () => openSockets(),
    runsByStatus: counts.runs,
    eventsPublished: () => bus.counts().published,
    eventsDropped: () => bus.counts().dropped,
    rowsPruned: () => prunedTotals(database),
  });
  const readiness = createReadiness(
    {
      database: async () => {
        await rows(database.em, 'select 1');
        watch.hasAnswered();
      },
      temporal: temporal.check,
      bus: bus.check,
    },
    log,
  );

  const routes = [
    ...createAuthRoutes({
      database,
      config,
      publicUrl:
        config.VAREON_PUBLIC_URL ??
        `${config.VAREON_TLS_CERT ? 'https' : 'http'}://localhost:${config.VAREON_PORT}`,
      authenticator,
      outbox: createOutbox(database, envelope),
      ownership: workflowOwnership,
      startMail: config.SMTP_URL ? startMail : undefined,
      audit: writeAudit,
      log,
    }),
    ...createVersionRoutes({ workflows, definitions }),
    ...createGraphRoutes({ workflows, steps, graphs: createGraphRepository(database) }),
    ...createWorkflowRoutes({ workflows, definitions, secretNames: secretValues.names, follow }),
    ...createScheduleRoutes({
      schedules: createWorkflowScheduleRepository(database),
      workflows,
      definitions,
      follow,
    }),
    ...createSecretRoutes({ secrets: createSecretRepository(database, envelope) }),
    ...createHostSecretRoutes({ values: secretValues, log }),
    ...createDeviceSecretRoutes({ devices, values: secretValues, log }),
    ...createHostDeviceSettingsRoutes(deviceSettings),
    ...createDeviceSettingsRoutes({ settings: deviceSettings, devices, give: giveCommand }),
    ...createRunRoutes({ workflows, runs, trigger, cancel, pause }),
    ...createEventRoutes({ store: createEventStore(database), temporal, log }),
    ...createRerunRoutes({ workflows, runs, steps, reuse: createReuseRepository(database), trigger }),
    ...createBulkRerunRoutes({ bulk, runs, trigger, audit: writeAudit }),
    ...createStepRoutes({
      steps,
      timelines: createTimelineRepository(database),
      kept: createKeptValues(blobs, createPayloadCodec(keys.payload, { seals: false })),
    }),
    ...createApprovalRoutes({
      approvals,
      answers: createAnswers({ approvals, temporal, guarded: createGuardedEvaluator() }),
    }),
    ...createNotificationRoutes({ notifications: createNotificationRepository(database, envelope) }),
    ...createTelemetryRoutes({
      series: telemetrySeries,
      ingest: createIngest({
        series: telemetrySeries,
        writer: createTelemetryWriter(database),
        keepDays: config.VAREON_KEEP_TELEMETRY_DAYS,
      }),
      answers: createTelemetryAnswers({
        series: telemetrySeries,
        queries: createTelemetryQueries(database),
      }),
    }),
    ...createBulkRoutes({ bulk, temporal, publish, audit: writeAudit, log }),
    ...createJobRoutes({
      jobs,
      cancel: {
        workflow_run: cancel,
        cancel_runs: cancel,
        gcode: cancelDeviceJob,
        device_upload: cancelDeviceJob,
        firmware: cancelDeviceJob,
        task_run: createTaskCancel(taskOrders, temporal, publish),
      },
    }),
    ...createDeviceJobRoutes({ devices, jobs, deviceJobs, temporal, tell: tellDeviceJobs, publish }),
    ...createDeviceUploadRoutes({
      devices,
      uploads: deviceUploads,
      jobs: deviceJobs,
      blobs,
      temporal,
      tell: tellDeviceJobs,
      publish,
      limitBytes: config.VAREON_MAX_UPLOAD_BYTES,
      log,
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
    ...createDeviceRoutes({
      devices,
      commands: deviceCommands,
      orders: deviceOrders,
      defaultHost: config.VAREON_HOST_NAME,
    }),
    ...createDeviceCommandRoutes({
      devices,
      give: giveCommand,
      stop: createDeviceStop({ asker, record: deviceCommands, log }),
    }),
    ...createHardwareRoutes({ devices, orders: deviceOrders }),
    ...createVisualizationRoutes({
      scenes: createSceneRepository(database),
      keepDays: config.VAREON_KEEP_STATES_DAYS,
    }),
    ...createStatusRoutes({
      version: VERSION,
      uptimeSeconds: () => process.uptime(),
      readiness,
      details: { neosyntis: counts.neosyntis, myntrix: counts.myntrix },
      troubles: systemMetrics.troubles,
    }),
    ...createAuditRoutes({ audit }),
    ...createHostPortRoutes({ hosts, bus }),
    ...createHostRoutes({ hosts: { list: hosts.list, remove: removeHost } }),
    ...createEnrolmentRoutes({ enrolments }),
    ...createHostGrantRoutes({
      grants: createHostGrantRepository(database),
      forgetAccounts: authenticator.forget,
    }),
    ...createHostAccessRoutes({
      enrolments,
      leases: createHostLeases(database),
      settings: createHostSettings(config, keys),
      authenticator: hostAuthenticator,
      audit: writeAudit,
    }),
    ...createHostBlobRoutes({
      blobs,
      hasOpenStep: createOpenSteps(temporal.client),
    }),
    ...createHostUploadRoutes({ blobs, uploads: deviceUploads }),
    ...createCodecRoutes({
      decode: createPayloadDecoder(blobs, createPayloadCodec(keys.payload, { seals: false })),
      namespace: config.TEMPORAL_NAMESPACE,
      isSecure: config.VAREON_TLS_CERT !== undefined || /^https:/i.test(config.VAREON_PUBLIC_URL ?? ''),
    }),
    ...createMetricsRoutes({ metrics }),
    ...createDocsRoutes({ document: () => document }),
  ];
  const sockets = [
    createRunSocket({ database, runs, streams: streams.runs }),
    createEventsSocket({ stream: streams.events }),
    createAgentSocket({ agents, readLog }),
    createVisualizationSocket({ stream: streams.scenes }),
    createDeviceTelemetrySocket({
      devices,
      streams: streams.devices,
      gateway: createDeviceGateway({ bus, telemetry: createDeviceTelemetryStore(database) }),
    }),
  ];
  const document = createOpenApi(routes, sockets, {
    title: 'Vareon',
    version: VERSION,
    description: 'Runs machines, agents, models and workflows durably.',
  });
  return {
    routes,
    sockets,
    authenticator,
    authenticateHost: hostAuthenticator.authenticateHost,
    audit: writeAudit,
    observe: metrics.observe,
    /** The socket server comes after the routes that count its sockets. */
    countSockets(count: () => number) {
      openSockets = count;
    },
  };
}
