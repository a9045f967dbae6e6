import { type NotifiedTick, notifiedTick, takeToldTicks } from '../../../db/myntrix/task-notifications.ts';
import { taskPlace } from '../../../db/myntrix/task-write.ts';
import type { Database } from '../../../db/orm.ts';
import type { QueuedMail } from '../../../db/system/outbox.ts';
import type { Json } from '../../../domain/wire.ts';
import { createTelling, type TellDeps, TOLD_AT_ONCE } from '../system/tell.ts';

export interface TaskNotificationDeps extends TellDeps {
  database: Database;
  startMail(mail: QueuedMail): Promise<void>;
  /** Starts the workflow that tells the webhook of a tick; starting it twice is starting it once. */
  startWebhook(tickId: string): Promise<void>;
}

/** Tells people of ticks that failed, were skipped or were missed, as their task says. */
export function createTaskNotifications({
  database,
  startMail,
  startWebhook,
  ...deps
}: TaskNotificationDeps) {
  const telling = createTelling(deps);
  return {
    async sendTaskNotifications(): Promise<void> {
      const queued: QueuedMail[] = [];
      await takeToldTicks(database, TOLD_AT_ONCE, async (tx, tick) => {
        if (tick.webhook_url !== null) await startWebhook(tick.id);
        queued.push(...(await telling.mails(tx, subjectOf(tick), tick.email, mailOf(tick))));
      });
      for (const mail of queued) await startMail(mail);
    },

    /** One attempt of a webhook, by the settings of now. */
    async notifyTaskByWebhook(tickId: string): Promise<void> {
      const tick = await notifiedTick(database.em, tickId);
      if (tick?.webhook_url == null) return;
      const { webhook_url: url, sealed, task_id } = tick;
      await telling.webhook(subjectOf(tick), { url, sealed, place: taskPlace(task_id) }, bodyOf(tick));
    },
  };
}

const subjectOf = ({ id, status }: NotifiedTick) => ({ id, kind: status });

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
