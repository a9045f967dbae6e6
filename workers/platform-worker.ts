import { Client, Connection } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { createAgentVerbs } from '../activities/platform/myntrix/agent-verbs.ts';
import { createAgentActivities, createAgentReconciler } from '../activities/platform/myntrix/agents.ts';
import { createDeviceJobVerbs } from '../activities/platform/myntrix/device-job-verbs.ts';
import {
  createDeviceJobActivities,
  createDeviceJobReconciler,
} from '../activities/platform/myntrix/device-jobs.ts';
import { createDeviceVerbs } from '../activities/platform/myntrix/device-verbs.ts';
import { createDeviceActivities, createDeviceReconciler } from '../activities/platform/myntrix/devices.ts';
import { createTaskNotifications } from '../activities/platform/myntrix/task-notifications.ts';
import { createTaskReconciler } from '../activities/platform/myntrix/task-reconcile.ts';
import { attemptId, createTaskActivities } from '../activities/platform/myntrix/tasks.ts';
import { createApprovalActivities } from '../activities/platform/neosyntis/approvals.ts';
import { createBulkActivities } from '../activities/platform/neosyntis/bulk.ts';
import { createChildActivities } from '../activities/platform/neosyntis/children.ts';
import { eventRunId } from '../activities/platform/neosyntis/derived-id.ts';
import { createEventStartActivities } from '../activities/platform/neosyntis/event-starts.ts';
import {
  createEventActivities,
  createEventReconciler,
  createLifecycle,
  createWorkerDelivery,
  createWorkerWake,
} from '../activities/platform/neosyntis/events.ts';
import { createHttp } from '../activities/platform/neosyntis/http.ts';
import { createMcp } from '../activities/platform/neosyntis/mcp.ts';
import { createNotificationActivities } from '../activities/platform/neosyntis/notifications.ts';
import { createNotifyEmail } from '../activities/platform/neosyntis/notify-email.ts';
import { createNotifyWebhook } from '../activities/platform/neosyntis/notify-webhook.ts';
import { createOpenApi } from '../activities/platform/neosyntis/openapi.ts';
import { createAuthenticator } from '../activities/platform/neosyntis/outbound/authentication.ts';
import { createResets } from '../activities/platform/neosyntis/resets.ts';
import { createReuseActivities } from '../activities/platform/neosyntis/reuse.ts';
import { createRunActivities } from '../activities/platform/neosyntis/runs.ts';
import { createScriptSource } from '../activities/platform/neosyntis/script-source.ts';
import { createOpener, createSecretActivities } from '../activities/platform/neosyntis/secrets.ts';
import { createSourceActivities } from '../activities/platform/neosyntis/sources.ts';
import { createTelemetryQuery } from '../activities/platform/neosyntis/telemetry-query.ts';
import { createTelemetryWait } from '../activities/platform/neosyntis/telemetry-wait.ts';
import { createVerbActivities, type VerbImplementation } from '../activities/platform/neosyntis/verbs.ts';
import { createMailActivities } from '../activities/platform/system/mail.ts';
import { createReconcileActivities } from '../activities/platform/system/reconcile.ts';
import { createRetentionActivities } from '../activities/platform/system/retention.ts';
import { createScheduleActivities } from '../activities/platform/system/schedules.ts';
import { type Config, list, retentionPolicy } from '../config.ts';
import { createDeviceWaits } from '../db/myntrix/device-waits.ts';
import { createTaskAttempts } from '../db/myntrix/task-attempts.ts';
import { createTaskEnds } from '../db/myntrix/task-ends.ts';
import { createTaskOrders } from '../db/myntrix/task-orders.ts';
import { createTaskReconciliation } from '../db/myntrix/task-reconcile.ts';
import { createTaskTicks } from '../db/myntrix/task-ticks.ts';
import { createChildRuns } from '../db/neosyntis/child-runs.ts';
import { createEventRuns } from '../db/neosyntis/event-runs.ts';
import { createEventStartQueue } from '../db/neosyntis/event-starts.ts';
import { createEventSubscriptions } from '../db/neosyntis/event-subscriptions.ts';
import { createEventStore } from '../db/neosyntis/events.ts';
import { createLifecycleStore } from '../db/neosyntis/lifecycle.ts';
import { createReuseRepository } from '../db/neosyntis/reuse.ts';
import { createRunIntents } from '../db/neosyntis/run-intents.ts';
import { createRunOwners } from '../db/neosyntis/run-owners.ts';
import { createScheduledRuns } from '../db/neosyntis/scheduled-runs.ts';
import { createSecretValues } from '../db/neosyntis/secret-values.ts';
import { createTelemetryAnswers } from '../db/neosyntis/telemetry-answers.ts';
import { createTelemetryQueries } from '../db/neosyntis/telemetry-query.ts';
import { createTelemetryRollups } from '../db/neosyntis/telemetry-rollups.ts';
import { createTelemetrySeriesRepository } from '../db/neosyntis/telemetry-series.ts';
import { migrate, openDatabase } from '../db/orm.ts';
import { createHostGrantRepository } from '../db/system/host-grants.ts';
import { createHostRepository } from '../db/system/hosts.ts';
import { createOutbox } from '../db/system/outbox.ts';
import { createWantedSchedules } from '../db/system/schedules.ts';
import { PLATFORM_QUEUE, runBlobPrefix, uploadBlobKey } from '../domain/names.ts';
import { busClientId } from '../drivers/bus/credentials.ts';
import { connectBus } from '../drivers/bus/mqtt.ts';
import { createNews } from '../drivers/bus/news.ts';
import { createGuardedEvaluator } from '../drivers/expressions/guarded.ts';
import { createSmtpTransport } from '../drivers/mail/smtp.ts';
import { createOutboundClient } from '../drivers/outbound/client.ts';
import { createPayloadCodec } from '../drivers/payloads/codec.ts';
import { createPayloads } from '../drivers/payloads/converter.ts';
import { createPayloadDecoder } from '../drivers/payloads/decoder.ts';
import { createKeptValues } from '../drivers/payloads/kept-values.ts';
import { taskClock } from '../drivers/schedules/clock.ts';
import { createTemporalCarrier } from '../drivers/schedules/temporal.ts';
import { tickIdOf } from '../drivers/schedules/tick-id.ts';
import { createEnvelope } from '../drivers/secrets/envelope.ts';
import type { KnownSecrets } from '../drivers/secrets/known.ts';
import { openStorage } from '../drivers/storage/open.ts';
import { deleteBlobs } from '../drivers/storage/read.ts';
import type { Keys } from '../keys.ts';
import type { Logger } from '../logs.ts';
import { VERSION } from '../version.ts';
import { bundleWorkflows } from './bundle.ts';
import { collectFromHosts } from './collect.ts';
import { storeDeviceTelemetry } from './device-telemetry.ts';
import { ensureSchedule } from './ensure-schedule.ts';
import { startOutboundWorker } from './outbound.ts';
import { reconcilerSchedule } from './reconciler-schedule.ts';
import { ensureNamespaceRetention, retentionSchedule } from './retention-schedule.ts';
import { createStarter } from './starter.ts';
import { keepRollingUp } from './telemetry-rollups.ts';
import { connectWorker, installRuntime } from './temporal.ts';
import { startWaitsWorker } from './waits.ts';

export interface PlatformOptions {
  config: Config;
  keys: Keys;
  known: KnownSecrets;
  /** Verbs that the registry has beside the product's own. */
  verbs?: Record<string, VerbImplementation>;
  log: Logger;
}

/** A platform worker: all workflows, and the activities that need the database. */
export async function startPlatform({ config, keys, known, verbs = {}, log }: PlatformOptions) {
  installRuntime(log);
  const database = await openDatabase({ databaseUrl: config.DATABASE_URL ?? '', poolSize: 10, log });
  await migrate(database);
  const bus = connectBus({
    url: config.BUS_URL ?? 'mqtt://127.0.0.1:1883',
    ...(config.BUS_USERNAME ? { username: config.BUS_USERNAME } : {}),
    ...(config.BUS_PASSWORD ? { password: config.BUS_PASSWORD } : {}),
    clientId: busClientId(config.BUS_USERNAME ?? 'platform', 'worker'),
    onError: (error) => log.warn({ err: error }, 'bus'),
  });
  const connection = await connectWorker(config);
  const clientConnection = await Connection.connect({ address: config.TEMPORAL_ADDRESS ?? '' });
  const seals = config.VAREON_PAYLOAD_CODEC === 'on';
  const blobs = await openStorage(config);
  const { dataConverter, keep } = createPayloads({ keys: keys.payload, seals, blobs });
  const client = new Client({
    connection: clientConnection,
    namespace: config.TEMPORAL_NAMESPACE,
    dataConverter,
  });
  const hosts = createHostRepository(database);
  const guarded = createGuardedEvaluator();
  const openingCodec = createPayloadCodec(keys.payload, { seals: false });
  const resets = createResets({
    database,
    client,
    decode: createPayloadDecoder(blobs, openingCodec),
    log,
  });
  const starter = createStarter({
    database,
    client,
    sendsMail: config.SMTP_URL !== undefined,
    legTasks: config.VAREON_LEG_TASKS,
  });
  const envelope = createEnvelope(keys.encryption);
  const secretValues = createSecretValues(database, envelope);
  const outbox = createOutbox(database, envelope);
  const transport = config.SMTP_URL
    ? createSmtpTransport({ url: config.SMTP_URL, from: config.SMTP_FROM })
    : undefined;
  const store = createEventStore(database);
  const lifecycle = createLifecycleStore(database);
  const deliver = createWorkerDelivery({ store, client, log });
  const wake = createWorkerWake({ client, log });
  const starts = createEventStartQueue(database);
  const sendLifecycle = createLifecycle({ lifecycle, deliver, wake, bus, log });
  const publish = createNews(bus).events;
  const carrier = createTemporalCarrier(client);
  const schedules = createWantedSchedules(database);
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
  const runActivities = createRunActivities({
    database,
    bus,
    hostGrants: createHostGrantRepository(database),
    guarded,
    resets,
    defaultHost: config.VAREON_HOST_NAME,
    keep,
    sendLifecycle,
    taskRunEnded: tasks.runEnded,
    log,
  });
  const scheduledRuns = createScheduledRuns(database);
  const outbound = createOutboundClient({
    allow: list(config.VAREON_OUTBOUND_ALLOW),
    userAgent: `Vareon/${VERSION}`,
  });
  const ownerOf = createRunOwners(database);
  const authenticator = createAuthenticator({ client: outbound, ownerOf, known });
  const notifyWebhook = createNotifyWebhook(outbound);
  const { sendNotifications, notifyByWebhook } = createNotificationActivities({
    database,
    outbox,
    envelope,
    notifyWebhook,
    startMail: starter.startMail,
    startWebhook: starter.startWebhook,
  });
  const { sendTaskNotifications, notifyTaskByWebhook } = createTaskNotifications({
    database,
    outbox,
    envelope,
    notifyWebhook,
    startMail: starter.startMail,
    startWebhook: starter.startTaskWebhook,
  });
  const verbActivities = createVerbActivities(
    {
      http: createHttp(authenticator),
      mcp: createMcp(authenticator, VERSION),
      openapi: createOpenApi({ authenticator, ownerOf }),
      'notify.email': createNotifyEmail({ database, outbox, startMail: starter.startMail }),
      'run.script.source': createScriptSource(authenticator),
      'notify.webhook': notifyWebhook,
      ...createAgentVerbs({ database, bus, client }),
      ...createDeviceVerbs({ database, bus, client }),
      ...createDeviceJobVerbs({ database, bus, client, blobs }),
      'telemetry.query': createTelemetryQuery({
        ownerOf,
        answers: createTelemetryAnswers({
          series: createTelemetrySeriesRepository(database),
          queries: createTelemetryQueries(database),
        }),
      }),
      'telemetry.wait_for': createTelemetryWait({ waits: createDeviceWaits(database), log }),
      ...verbs,
    },
    {
      opened: createOpener({ secrets: secretValues, guarded, known }, authenticator),
      tell: runActivities.project,
    },
  );
  const sourceActivities = createSourceActivities({
    authenticator: createAuthenticator({ client: outbound, ownerOf: async (ownerId) => ownerId, known }),
    unsealing: { secrets: { resolve: secretValues.resolveOf }, guarded, known },
  });
  const worker = await Worker.create({
    connection,
    namespace: config.TEMPORAL_NAMESPACE,
    taskQueue: PLATFORM_QUEUE,
    dataConverter,
    workflowBundle: config.VAREON_WORKFLOW_BUNDLE
      ? { codePath: config.VAREON_WORKFLOW_BUNDLE }
      : { code: (await bundleWorkflows())[seals ? 'sealed' : 'plain'] },
    activities: {
      ...runActivities,
      ...verbActivities,
      ...createEventActivities({ store, subscriptions: createEventSubscriptions(database), deliver, wake }),
      ...createEventStartActivities({
        queue: starts,
        guarded,
        runs: createEventRuns(database, eventRunId),
        startRun: starter.startRun,
        publish: createNews(bus).events,
        log,
      }),
      ...createChildActivities({
        database,
        children: createChildRuns(database),
        intent: createRunIntents(database).intent,
        publish: createNews(bus).events,
      }),
      ...createReuseActivities({
        reuse: createReuseRepository(database),
        kept: createKeptValues(blobs, openingCodec),
      }),
      ...createApprovalActivities({ database, bus }),
      ...createSecretActivities({ values: secretValues }),
      ...createMailActivities({ outbox, transport }),
      ...createReconcileActivities({
        database,
        bus,
        hosts,
        client,
        resets,
        ...starter,
        async sendNotifications() {
          await sendNotifications();
          await sendTaskNotifications();
        },
        reconcileAgents: createAgentReconciler({ database, client }),
        reconcileDevices: createDeviceReconciler({ database, client }),
        reconcileDeviceJobs: createDeviceJobReconciler({ database, client }),
        reconcileTasks: createTaskReconciler({
          client,
          rows: createTaskReconciliation(ticking),
          tasks,
          log,
        }),
        reconcileEvents: createEventReconciler({ store, starts, lifecycle, deliver, wake, sendLifecycle }),
        log,
      }),
      ...createScheduleActivities({
        schedules,
        handlers: {
          workflow: {
            ...scheduledRuns,
            // One that has ended and was forgotten by Temporal would begin a second time.
            begin: async (runId) => {
              if (await scheduledRuns.isPending(runId)) await starter.startRun(runId);
            },
          },
          task: tasks.handler,
        },
        intents: createRunIntents(database),
        carrier,
        publish: createNews(bus).events,
        log,
      }),
      ...createBulkActivities({ database, bus, client }),
      ...createAgentActivities({ database, bus }),
      ...createDeviceActivities({ database, bus }),
      ...createDeviceJobActivities({ database, bus }),
      ...tasks.activities,
      ...createRetentionActivities({
        database,
        policy: retentionPolicy(config),
        removeBlobs: async (runId) => void (await deleteBlobs(blobs, runBlobPrefix(runId))),
        removeUpload: (uploadId) => blobs.delete(uploadBlobKey(uploadId)),
        log,
      }),
    },
    reuseV8Context: true,
    maxCachedWorkflows: config.VAREON_CACHED_WORKFLOWS,
    maxConcurrentActivityTaskExecutions: 50,
    shutdownGraceTime: '3s',
    shutdownForceTime: '4s',
  });
  const working = worker.run();
  const outboundWorker = await startOutboundWorker(
    { connection, namespace: config.TEMPORAL_NAMESPACE, dataConverter },
    { ...verbActivities, ...sourceActivities, notifyByWebhook, notifyTaskByWebhook },
  );
  const waitsWorker = await startWaitsWorker(
    { connection, namespace: config.TEMPORAL_NAMESPACE, dataConverter },
    verbActivities,
  );
  const collector = await collectFromHosts({ bus, database, hosts, log });
  const deviceTelemetry = await storeDeviceTelemetry({ bus, database, log });
  const telemetry = keepRollingUp(createTelemetryRollups(database), log);
  await ensureSchedule(client, reconcilerSchedule);
  await ensureSchedule(client, retentionSchedule);
  const hindered = await ensureNamespaceRetention(
    client,
    config.TEMPORAL_NAMESPACE,
    config.VAREON_KEEP_HISTORY_DAYS,
  );
  if (hindered) log.warn({ err: hindered }, 'the retention of the Temporal namespace stays as it is');
  return {
    // A process with one of them broken would take runs and leave their requests to nobody.
    ended: Promise.race([working, outboundWorker.ended, waitsWorker.ended]),
    healthFile: config.VAREON_HEALTH_FILE,
    async close() {
      await Promise.all([collector.close(), deviceTelemetry.close()]);
      await telemetry.close();
      worker.shutdown();
      await Promise.all([working, outboundWorker.close(), waitsWorker.close()]);
      await Promise.all([bus.close(), guarded.close(), connection.close(), clientConnection.close()]);
      await database.close();
      blobs.close();
    },
  };
}
