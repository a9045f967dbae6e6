import { type NotifiedTick, notifiedTick, takeToldTicks } from '../../../db/myntrix/task-notifications.ts';
import { taskPlace } from '../../../db/myntrix/tasks.ts';
import type { Database } from '../../../db/orm.ts';
import type { Outbox, QueuedMail } from '../../../db/system/outbox.ts';
import type { Envelope } from '../../../domain/system/envelope.ts';
import type { Json } from '../../../domain/wire.ts';
import { derivedId } from '../neosyntis/derived-id.ts';
import type { VerbImplementation } from '../neosyntis/verbs.ts';

export interface TaskNotificationDeps {
  database: Database;
  outbox: Pick<Outbox, 'put'>;
  envelope: Envelope;
  /** `notify.webhook`. */
  notifyWebhook: VerbImplementation;
  startMail(mail: QueuedMail): Promise<void>;
  /** Starts the workflow that tells the webhook of a tick; starting it twice is starting it once. */
  startWebhook(tickId: string): Promise<void>;
}

const KEPT_DAYS = 3;
/** One pass; the next one goes on. */
const AT_ONCE = 500;
const TIMEOUT_MS = 30_000;

/** Tells people of ticks that failed, were skipped or were missed, as their task says. */
export function createTaskNotifications(deps: TaskNotificationDeps) {
  const { database, outbox, envelope, notifyWebhook, startMail, startWebhook } = deps;
  return {
    async sendTaskNotifications(): Promise<void> {
      const queued: QueuedMail[] = [];
      await takeToldTicks(database, AT_ONCE, async (tx, tick) => {
        if (tick.webhook_url !== null) await startWebhook(tick.id);
        const expiresAt = new Date(Date.now() + KEPT_DAYS * 86_400_000);
        for (const to of tick.email) {
          const id = derivedId(tick.id, `notification ${tick.status} ${to}`);
          queued.push(await outbox.put(tx, { id, kind: 'notification', to, ...mailOf(tick), expiresAt }));
        }
      });
      for (const mail of queued) await startMail(mail);
    },

    /** One attempt of a webhook, by the settings of now. */
    async notifyTaskByWebhook(tickId: string): Promise<void> {
      const tick = await notifiedTick(database.em, tickId);
      if (tick?.webhook_url == null) return;
      const { webhook_url: url, sealed, task_id } = tick;
      const secret = sealed && envelope.open(sealed, taskPlace(task_id));
      const args = { url, body: bodyOf(tick), ...(secret ? { secret } : {}) };
      const place = { runId: tickId, path: `notification ${tick.status}`, iteration: [], attempt: 1 };
      await notifyWebhook({ ...place, timeoutMs: TIMEOUT_MS, verb: 'notify.webhook', args });
    },
  };
}

const happened = { failed: 'failed', skipped: 'was skipped', missed: 'was missed' } as const;

function mailOf({ id, name, status, scheduled_at, reason }: NotifiedTick): { subject: string; text: string } {
  const subject = `${name.replaceAll(/[\r\n]/g, ' ').slice(0, 150)}: a tick ${happened[status]}`;
  const text = `${subject}.\n\nIt was due at ${scheduled_at}. ${(reason ?? '').slice(0, 2_000)}\nLook at it: GET /api/myntrix/tasks/history/${id}\n`;
  return { subject, text };
}

const bodyOf = ({ id, task_id, name, status, scheduled_at, reason, run_id }: NotifiedTick): Json => ({
  type: `task.run.${status}`,
  data: { task_id, name, task_run_id: id, scheduled_at, reason, run_id },
});
