import { ActivityFailure, isCancellation, proxyActivities, sleep } from '@temporalio/workflow';
import type { MailActivities } from '../../activities/platform/system/mail.ts';
import { PLATFORM_QUEUE } from '../../domain/names.ts';

export interface DeliverMailInput {
  mailId: string;
  /** ISO 8601; after it the mail is of no use to anybody. */
  expiresAt: string;
}

const { expireMail } = proxyActivities<MailActivities>({
  taskQueue: PLATFORM_QUEUE,
  startToCloseTimeout: '10 seconds',
});

/** Delivers one mail of the outbox, trying until it expires; its workflow id makes a second start harmless. */
export async function deliverMail({ mailId, expiresAt }: DeliverMailInput): Promise<void> {
  const remainingMs = Date.parse(expiresAt) - Date.now();
  if (remainingMs > 0 && (await delivered(mailId, remainingMs))) return;
  // The last attempt ends up to one interval before the time is up; an administrator can still read the mail then.
  await sleep(Math.max(1, Date.parse(expiresAt) - Date.now()));
  await expireMail(mailId);
}

async function delivered(mailId: string, remainingMs: number): Promise<boolean> {
  const { sendMail } = proxyActivities<MailActivities>({
    taskQueue: PLATFORM_QUEUE,
    // An SMTP exchange gives up after 40 s by itself; servers are often back within seconds, or only after hours.
    startToCloseTimeout: '1 minute',
    scheduleToCloseTimeout: remainingMs,
    retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '10 minutes' },
  });
  try {
    await sendMail(mailId);
    return true;
  } catch (error) {
    // What remains after all retries: the time is up. (A refusal for good ends the activity without an error.)
    if (error instanceof ActivityFailure && !isCancellation(error)) return false;
    throw error;
  }
}
