import { Client, Connection } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { createNotifyWebhook } from '../activities/platform/neosyntis/notify-webhook.ts';
import type { VerbImplementation } from '../activities/platform/neosyntis/verbs.ts';
import type { Config } from '../config.ts';
import { list } from '../config.ts';
import { createTelemetryRollups } from '../db/neosyntis/telemetry-rollups.ts';
import { migrate, openDatabase } from '../db/orm.ts';
import { createHostRepository } from '../db/system/hosts.ts';
import { createOutbox } from '../db/system/outbox.ts';
import { createWantedSchedules } from '../db/system/schedules.ts';
import { PLATFORM_QUEUE } from '../domain/names.ts';
import { busClientId } from '../drivers/bus/credentials.ts';
import { connectBus } from '../drivers/bus/mqtt.ts';
import { createNews } from '../drivers/bus/news.ts';
import { createGuardedEvaluator } from '../drivers/expressions/guarded.ts';
import { createOutboundClient } from '../drivers/outbound/client.ts';
import { createPayloads } from '../drivers/payloads/converter.ts';
import { createTemporalCarrier } from '../drivers/schedules/temporal.ts';
import { createEnvelope } from '../drivers/secrets/envelope.ts';
import type { KnownSecrets } from '../drivers/secrets/known.ts';
import { openStorage } from '../drivers/storage/open.ts';
import type { Keys } from '../keys.ts';
import type { Logger } from '../logs.ts';
import { VERSION } from '../version.ts';
import { bundleWorkflows } from './bundle.ts';
import { collectFromHosts } from './collect.ts';
import { storeDeviceTelemetry } from './device-telemetry.ts';
import { ensureSchedule } from './ensure-schedule.ts';
import { startOutboundWorker } from './outbound.ts';
import type { PlatformDeps } from './platform/deps.ts';
import { createMyntrixWork } from './platform/myntrix.ts';
import { createNeosyntisWork } from './platform/neosyntis.ts';
import { createSystemWork } from './platform/system.ts';
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
  const envelope = createEnvelope(keys.encryption);
  const outbound = createOutboundClient({
    allow: list(config.VAREON_OUTBOUND_ALLOW),
    userAgent: `Vareon/${VERSION}`,
  });
  const deps: PlatformDeps = {
    config,
    keys,
    known,
    database,
    bus,
    client,
    blobs,
    keep,
    guarded,
    starter: createStarter({
      database,
      client,
      sendsMail: config.SMTP_URL !== undefined,
      legTasks: config.VAREON_LEG_TASKS,
    }),
    envelope,
    outbox: createOutbox(database, envelope),
    outbound,
    notifyWebhook: createNotifyWebhook(outbound),
    schedules: createWantedSchedules(database),
    carrier: createTemporalCarrier(client),
    publish: createNews(bus).events,
    log,
  };
  const myntrix = createMyntrixWork(deps);
  const neosyntis = createNeosyntisWork({ ...deps, verbs: { ...myntrix.verbs, ...verbs }, myntrix });
  const system = createSystemWork({ ...deps, hosts, neosyntis, myntrix });
  const worker = await Worker.create({
    connection,
    namespace: config.TEMPORAL_NAMESPACE,
    taskQueue: PLATFORM_QUEUE,
    dataConverter,
    workflowBundle: config.VAREON_WORKFLOW_BUNDLE
      ? { codePath: config.VAREON_WORKFLOW_BUNDLE }
      : { code: (await bundleWorkflows())[seals ? 'sealed' : 'plain'] },
    activities: { ...neosyntis.activities, ...myntrix.activities, ...system.activities },
    reuseV8Context: true,
    maxCachedWorkflows: config.VAREON_CACHED_WORKFLOWS,
    maxConcurrentActivityTaskExecutions: 50,
    shutdownGraceTime: '3s',
    shutdownForceTime: '4s',
  });
  const working = worker.run();
  const outboundWorker = await startOutboundWorker(
    { connection, namespace: config.TEMPORAL_NAMESPACE, dataConverter },
    { ...neosyntis.verbActivities, ...neosyntis.outboundActivities, ...myntrix.outboundActivities },
  );
  const waitsWorker = await startWaitsWorker(
    { connection, namespace: config.TEMPORAL_NAMESPACE, dataConverter },
    neosyntis.verbActivities,
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
