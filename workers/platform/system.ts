import { createMailActivities } from '../../activities/platform/system/mail.ts';
import { createReconcileActivities } from '../../activities/platform/system/reconcile.ts';
import { createRetentionActivities } from '../../activities/platform/system/retention.ts';
import { createScheduleActivities } from '../../activities/platform/system/schedules.ts';
import { retentionPolicy } from '../../config.ts';
import { createRunIntents } from '../../db/neosyntis/run-intents.ts';
import type { HostRepository } from '../../db/system/hosts.ts';
import { runBlobPrefix, uploadBlobKey } from '../../domain/names.ts';
import { createSmtpTransport } from '../../drivers/mail/smtp.ts';
import { deleteBlobs } from '../../drivers/storage/read.ts';
import type { PlatformDeps } from './deps.ts';
import type { MyntrixWork } from './myntrix.ts';
import type { NeosyntisWork } from './neosyntis.ts';

export interface SystemWorkDeps extends PlatformDeps {
  hosts: HostRepository;
  neosyntis: NeosyntisWork;
  myntrix: MyntrixWork;
}

/** Mail, schedules, and what sets right and clears away. */
export function createSystemWork(deps: SystemWorkDeps) {
  const { config, database, bus, client, blobs, starter, outbox, schedules, carrier, publish, log } = deps;
  const { hosts, neosyntis, myntrix } = deps;
  const transport = config.SMTP_URL
    ? createSmtpTransport({ url: config.SMTP_URL, from: config.SMTP_FROM })
    : undefined;
  return {
    activities: {
      ...createMailActivities({ outbox, transport }),
      ...createReconcileActivities({
        database,
        bus,
        hosts,
        client,
        resets: neosyntis.resets,
        ...starter,
        ...neosyntis.reconcilers,
        ...myntrix.reconcilers,
        async sendNotifications() {
          await neosyntis.sendNotifications();
          await myntrix.sendNotifications();
        },
        log,
      }),
      ...createScheduleActivities({
        schedules,
        handlers: { workflow: neosyntis.ticks, task: myntrix.ticks },
        intents: createRunIntents(database),
        carrier,
        publish,
        log,
      }),
      ...createRetentionActivities({
        database,
        policy: retentionPolicy(config),
        removeBlobs: async (runId) => void (await deleteBlobs(blobs, runBlobPrefix(runId))),
        removeUpload: (uploadId) => blobs.delete(uploadBlobKey(uploadId)),
        log,
      }),
    },
  };
}
