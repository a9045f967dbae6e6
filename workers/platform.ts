import { Client, Connection } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { createNotifyEmail } from '../activities/platform/neosyntis/notify-email.ts';
import { createResets } from '../activities/platform/neosyntis/resets.ts';
import { createRunActivities } from '../activities/platform/neosyntis/runs.ts';
import { createVerbActivities } from '../activities/platform/neosyntis/verbs.ts';
import { createMailActivities } from '../activities/platform/system/mail.ts';
import { createReconcileActivities } from '../activities/platform/system/reconcile.ts';
import { readConfig, readKeys } from '../config.ts';
import { migrate, openDatabase } from '../db/orm.ts';
import { createHostRepository } from '../db/system/hosts.ts';
import { createOutbox } from '../db/system/outbox.ts';
import { PLATFORM_QUEUE } from '../domain/names.ts';
import { connectBus } from '../drivers/bus/mqtt.ts';
import { createGuardedEvaluator } from '../drivers/expressions/guarded.ts';
import { createSmtpTransport } from '../drivers/mail/smtp.ts';
import { createEnvelope } from '../drivers/secrets/envelope.ts';
import { createLogger } from '../logs.ts';
import { runProcess } from '../process.ts';
import { bundleWorkflows } from './bundle.ts';
import { collectFromHosts } from './collect.ts';
import { ensureReconciler } from './reconciler-schedule.ts';
import { createStarter } from './starter.ts';
import { connectWorker, installRuntime } from './temporal.ts';

/** A platform worker: all workflows, and the activities that need the database. */
const config = readConfig(process.env);
const log = createLogger('platform', config.LOG_LEVEL);

await runProcess(log, async () => {
  installRuntime(log);
  const keys = readKeys(config.dataDir);
  const database = await openDatabase({ databaseUrl: config.DATABASE_URL ?? '', poolSize: 10, log });
  await migrate(database);
  const bus = connectBus({
    url: config.BUS_URL ?? 'mqtt://127.0.0.1:1883',
    ...(config.BUS_USERNAME ? { username: config.BUS_USERNAME } : {}),
    ...(config.BUS_PASSWORD ? { password: config.BUS_PASSWORD } : {}),
    clientId: `platform.worker-${process.pid}`,
    onError: (error) => log.warn({ err: error }, 'bus'),
  });
  const connection = await connectWorker(config);
  const clientConnection = await Connection.connect({ address: config.TEMPORAL_ADDRESS ?? '' });
  const client = new Client({ connection: clientConnection, namespace: config.TEMPORAL_NAMESPACE });
  const hosts = createHostRepository(database);
  const guarded = createGuardedEvaluator();
  const resets = createResets({ database, client, log });
  const starter = createStarter({ database, client, sendsMail: config.SMTP_URL !== undefined });
  const outbox = createOutbox(database, createEnvelope([keys.encryption]));
  const transport = config.SMTP_URL
    ? createSmtpTransport({ url: config.SMTP_URL, from: config.SMTP_FROM })
    : undefined;
  const worker = await Worker.create({
    connection,
    namespace: config.TEMPORAL_NAMESPACE,
    taskQueue: PLATFORM_QUEUE,
    workflowBundle: config.VAREON_WORKFLOW_BUNDLE
      ? { codePath: config.VAREON_WORKFLOW_BUNDLE }
      : { code: await bundleWorkflows() },
    activities: {
      ...createRunActivities({
        database,
        bus,
        hosts,
        guarded,
        resets,
        defaultHost: config.VAREON_HOST_NAME,
      }),
      ...createVerbActivities({
        'notify.email': createNotifyEmail({ database, outbox, startMail: starter.startMail }),
      }),
      ...createMailActivities({ outbox, transport }),
      ...createReconcileActivities({ database, bus, hosts, client, resets, ...starter, log }),
    },
    reuseV8Context: true,
    maxCachedWorkflows: 1_000,
    maxConcurrentActivityTaskExecutions: 50,
    shutdownGraceTime: '3s',
    shutdownForceTime: '4s',
  });
  const working = worker.run();
  const collector = await collectFromHosts({ bus, database, hosts, log });
  await ensureReconciler(client);
  return {
    working,
    async close() {
      await collector.close();
      worker.shutdown();
      await working;
      await Promise.all([bus.close(), guarded.close(), connection.close(), clientConnection.close()]);
      await database.close();
    },
  };
});
