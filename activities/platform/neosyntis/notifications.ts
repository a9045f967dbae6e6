import {
  type NotifiedRun,
  notificationsPlace,
  notifiedRun,
  takeDue,
} from '../../../db/neosyntis/notifications.ts';
import type { Database } from '../../../db/orm.ts';
import type { QueuedMail } from '../../../db/system/outbox.ts';
import type { DueNotification, NotificationKind } from '../../../domain/neosyntis/notifications.ts';
import type { Json } from '../../../domain/wire.ts';
import { createTelling, type TellDeps, TOLD_AT_ONCE } from '../system/tell.ts';

export interface NotificationDeps extends TellDeps {
  database: Database;
  startMail(mail: QueuedMail): Promise<void>;
  startWebhook(due: DueNotification): Promise<void>;
}

/** Tells people of runs, as their workflow's settings say. */
export function createNotificationActivities({
  database,
  startMail,
  startWebhook,
  ...deps
}: NotificationDeps) {
  const telling = createTelling(deps);
  return {
    /**
     * Sends what is due: mails into the outbox in the transaction that marks it as sent, webhooks by a workflow that has
     * the notification's id and is started before the commit, so that starting it twice is starting it once.
     */
    async sendNotifications(): Promise<void> {
      const queued: QueuedMail[] = [];
      await takeDue(database, TOLD_AT_ONCE, async (tx, run, due) => {
        if (run.webhook_url !== null) await startWebhook(due);
        queued.push(...(await telling.mails(tx, subjectOf(due), run.email, mailOf(run, due.kind))));
      });
      for (const mail of queued) await startMail(mail);
    },

    /** One attempt of a webhook, by the settings of now. */
    async notifyByWebhook(due: DueNotification): Promise<void> {
      const run = await notifiedRun(database.em, due.runId);
      if (run?.webhook_url == null) return;
      const { webhook_url: url, sealed, workflow_id } = run;
      const place = notificationsPlace(workflow_id);
      await telling.webhook(subjectOf(due), { url, sealed, place }, bodyOf(run, due.kind));
    },
  };
}

const subjectOf = ({ runId, kind }: DueNotification) => ({ id: runId, kind });

export type NotificationActivities = ReturnType<typeof createNotificationActivities>;

const happened = { completed: 'completed', failed: 'failed', waiting: 'waits for somebody' } as const;

function mailOf({ id, name, error }: NotifiedRun, kind: NotificationKind): { subject: string; text: string } {
  const subject = `${name.replaceAll(/[\r\n]/g, ' ').slice(0, 150)}: a run ${happened[kind]}`;
  const why =
    kind === 'failed' && error ? `${error.title}: ${error.detail ?? ''} (${error.instance ?? '/'})\n` : '';
  const where =
    kind === 'waiting'
      ? `What it asks: GET /api/neosyntis/approvals?status=open&run_id=${id}`
      : `Look at it: GET /api/neosyntis/runs/${id}`;
  return { subject, text: `${subject}.\n\n${why.slice(0, 10_000)}${where}\n` };
}

const bodyOf = ({ id, workflow_id, name, error }: NotifiedRun, kind: NotificationKind): Json => ({
  type: `run.${kind}`,
  data: {
    run_id: id,
    workflow_id,
    name,
    error: kind === 'failed' ? (error as unknown as Json) : null, // problem details are JSON
  },
});
