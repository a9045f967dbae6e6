import {
  type NotifiedRun,
  notificationsPlace,
  notifiedRun,
  takeDue,
} from '../../../db/neosyntis/notifications.ts';
import type { Database } from '../../../db/orm.ts';
import type { Outbox, QueuedMail } from '../../../db/system/outbox.ts';
import type { DueNotification, NotificationKind } from '../../../domain/neosyntis/notifications.ts';
import type { Envelope } from '../../../domain/system/envelope.ts';
import type { Json } from '../../../domain/wire.ts';
import { derivedId } from './derived-id.ts';
import type { VerbImplementation } from './verbs.ts';

export interface NotificationDeps {
  database: Database;
  outbox: Pick<Outbox, 'put'>;
  envelope: Envelope;
  /** `notify.webhook`. */
  notifyWebhook: VerbImplementation;
  startMail(mail: QueuedMail): Promise<void>;
  startWebhook(due: DueNotification): Promise<void>;
}

const KEPT_DAYS = 3;
/** One pass; the next one goes on. */
const AT_ONCE = 500;
const TIMEOUT_MS = 30_000;

/** Tells people of runs, as their workflow's settings say. */
export function createNotificationActivities(deps: NotificationDeps) {
  const { database, outbox, envelope, notifyWebhook, startMail, startWebhook } = deps;
  return {
    /**
     * Sends what is due: mails into the outbox in the transaction that marks it as sent, webhooks by a workflow that has
     * the notification's id and is started before the commit, so that starting it twice is starting it once.
     */
    async sendNotifications(): Promise<void> {
      const queued: QueuedMail[] = [];
      await takeDue(database, AT_ONCE, async (tx, run, due) => {
        if (run.webhook_url !== null) await startWebhook(due);
        const expiresAt = new Date(Date.now() + KEPT_DAYS * 86_400_000);
        for (const to of run.email) {
          const id = derivedId(due.runId, `notification ${due.kind} ${to}`);
          queued.push(
            await outbox.put(tx, { id, kind: 'notification', to, ...mailOf(run, due.kind), expiresAt }),
          );
        }
      });
      for (const mail of queued) await startMail(mail);
    },

    /** One attempt of a webhook, by the settings of now. */
    async notifyByWebhook({ runId, kind }: DueNotification): Promise<void> {
      const run = await notifiedRun(database.em, runId);
      if (run?.webhook_url == null) return;
      const { webhook_url: url, sealed } = run;
      const secret = sealed && envelope.open(sealed, notificationsPlace(run.workflow_id));
      const args = { url, body: bodyOf(run, kind), ...(secret ? { secret } : {}) };
      const path = `notification ${kind}`;
      const place = { runId, path, iteration: [], attempt: 1, timeoutMs: TIMEOUT_MS };
      await notifyWebhook({ ...place, verb: 'notify.webhook', args });
    },
  };
}

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
