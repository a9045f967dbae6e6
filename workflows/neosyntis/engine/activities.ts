import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { ApprovalActivities } from '../../../activities/platform/neosyntis/approvals.ts';
import type { ChildActivities } from '../../../activities/platform/neosyntis/children.ts';
import type { EventActivities } from '../../../activities/platform/neosyntis/events.ts';
import type { ReuseActivities } from '../../../activities/platform/neosyntis/reuse.ts';
import type { RunActivities } from '../../../activities/platform/neosyntis/runs.ts';
import type { SecretActivities } from '../../../activities/platform/neosyntis/secrets.ts';

/** Bookkeeping: tried until the database is back, however long that takes. */
export const { project, keepValue } = proxyActivities<RunActivities>({
  startToCloseTimeout: '20 seconds',
  retry: { initialInterval: 100, maximumInterval: '5 seconds' },
});

/** Cheap and idempotent; also tried until the database is back. */
export const local = proxyLocalActivities<
  RunActivities & SecretActivities & EventActivities & ReuseActivities & ChildActivities & ApprovalActivities
>({
  startToCloseTimeout: '10 seconds',
  retry: { initialInterval: 50, maximumInterval: '1 second' },
});

/** What happens while the run waits: a workflow task stays open for so long, and no longer. */
export const quick = proxyLocalActivities<RunActivities>({
  startToCloseTimeout: '1 second',
  retry: { maximumAttempts: 1 },
});

/** What storage takes. */
export const brief = proxyLocalActivities<RunActivities>({
  startToCloseTimeout: '5 seconds',
  retry: { maximumAttempts: 1 },
});

/** The end goes the long way when the short one fails. */
export const { finish } = proxyLocalActivities<RunActivities>({
  startToCloseTimeout: '10 seconds',
  retry: { initialInterval: 50, maximumInterval: '1 second', maximumAttempts: 5 },
});
