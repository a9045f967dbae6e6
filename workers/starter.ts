import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowStartOptions,
} from '@temporalio/client';
import { pruneAuth } from '../db/auth/prune.ts';
import { createRunIntents } from '../db/neosyntis/run-intents.ts';
import { pruneGrants } from '../db/neosyntis/secret-values.ts';
import type { Database } from '../db/orm.ts';
import { expireOutbox, listUndelivered, type QueuedMail } from '../db/system/outbox.ts';
import { mailWorkflowId, notificationWorkflowId, PLATFORM_QUEUE, workflowTypes } from '../domain/names.ts';
import type { DueNotification } from '../domain/neosyntis/notifications.ts';
import { runStart } from '../domain/neosyntis/start.ts';

export interface StarterDeps {
  database: Database;
  client: Client;
  /** Without SMTP mails wait for an administrator to read them. */
  sendsMail: boolean;
  /** As RunInput has it. */
  legTasks: number;
}

/** Starts the workflows of rows whose start was lost. Starting twice is safe: the id is the row's. */
export function createStarter({ database, client, sendsMail, legTasks }: StarterDeps) {
  const intents = createRunIntents(database);

  async function start(type: string, options: WorkflowStartOptions): Promise<void> {
    try {
      await client.workflow.start(type, { ...options, workflowIdReusePolicy: 'REJECT_DUPLICATE' });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error; // somebody was faster
    }
  }

  return {
    async startRun(runId: string): Promise<void> {
      const intent = await intents.intent(runId);
      if (intent) await start(workflowTypes.run, runStart(runId, { ...intent, legTasks }));
    },
    /** Begins a mail's delivery; without SMTP it waits to be read. */
    async startMail(mail: QueuedMail): Promise<void> {
      if (!sendsMail) return;
      const workflowId = mailWorkflowId(mail.mailId);
      await start(workflowTypes.deliverMail, { workflowId, taskQueue: PLATFORM_QUEUE, args: [mail] });
    },
    async startWebhook(due: DueNotification): Promise<void> {
      const workflowId = notificationWorkflowId(due.runId, due.kind);
      await start(workflowTypes.notifyOfRun, { workflowId, taskQueue: PLATFORM_QUEUE, args: [due] });
    },
    async startTaskWebhook(tickId: string): Promise<void> {
      const workflowId = notificationWorkflowId(tickId, 'task');
      await start(workflowTypes.notifyOfTask, { workflowId, taskQueue: PLATFORM_QUEUE, args: [tickId] });
    },
    async startCancels(jobId: string): Promise<void> {
      await start(workflowTypes.cancelRuns, { workflowId: jobId, taskQueue: PLATFORM_QUEUE, args: [jobId] });
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
