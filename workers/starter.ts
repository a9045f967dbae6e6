import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { pruneAuth } from '../db/auth/prune.ts';
import { createRunIntents } from '../db/neosyntis/run-intents.ts';
import { pruneGrants } from '../db/neosyntis/secret-values.ts';
import type { Database } from '../db/orm.ts';
import { expireOutbox, listUndelivered, type QueuedMail } from '../db/system/outbox.ts';
import { mailWorkflowId, notificationWorkflowId, PLATFORM_QUEUE, workflowTypes } from '../domain/names.ts';
import type { DueNotification } from '../domain/neosyntis/notifications.ts';
import { turnLimitMs } from '../domain/neosyntis/turn.ts';

export interface StarterDeps {
  database: Database;
  client: Client;
  /** Without SMTP mails wait for an administrator to read them. */
  sendsMail: boolean;
}

/** Starts the workflows of rows whose start was lost. Starting twice is safe: the id is the row's. */
export function createStarter({ database, client, sendsMail }: StarterDeps) {
  const intents = createRunIntents(database);

  async function start(
    type: string,
    workflowId: string,
    args: unknown[],
    workflowTaskTimeout?: number,
  ): Promise<void> {
    try {
      await client.workflow.start(type, {
        workflowId,
        taskQueue: PLATFORM_QUEUE,
        args,
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        ...(workflowTaskTimeout === undefined ? {} : { workflowTaskTimeout }),
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error; // somebody was faster
    }
  }

  return {
    async startRun(runId: string): Promise<void> {
      const intent = await intents.intent(runId);
      if (intent) await start(workflowTypes.run, runId, [intent], turnLimitMs(intent.document));
    },
    /** Begins a mail's delivery; without SMTP it waits to be read. */
    async startMail(mail: QueuedMail): Promise<void> {
      if (sendsMail) await start(workflowTypes.deliverMail, mailWorkflowId(mail.mailId), [mail]);
    },
    async startWebhook(due: DueNotification): Promise<void> {
      await start(workflowTypes.notifyOfRun, notificationWorkflowId(due.runId, due.kind), [due]);
    },
    async startCancels(jobId: string): Promise<void> {
      await start(workflowTypes.cancelRuns, jobId, [jobId]);
    },
    async reconcileAccounts(): Promise<void> {
      await expireOutbox(database, new Date());
      await pruneAuth(database);
      await pruneGrants(database);
      if (!sendsMail) return;
      for (const mail of await listUndelivered(database)) await this.startMail(mail);
    },
  };
}
