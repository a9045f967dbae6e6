import type { Client } from '@temporalio/client';
import { runningExecutions, statusOf } from '../../../drivers/workflows/executions.ts';

/** An order whose word to the workflow was lost is said again after this long. */
const UNTAKEN_AFTER_MS = 3_000;

type Numbered = { id: string; epoch: number };

/** What hosts hold by orders, as its rows say it. */
export interface OrderedStore {
  freeOfDeletedHosts(olderThanMs: number): Promise<void>;
  untaken(olderThanMs: number): Promise<Numbered[]>;
  held(olderThanMs: number): Promise<Numbered[]>;
}

export interface OrderReconcilerDeps {
  client: Client;
  store: OrderedStore;
  workflowType: string;
  workflowId(id: string): string;
  /** Says that there is something new. @param anew as ToldOrder has it */
  tell(id: string, epoch: number, anew?: string): Promise<void>;
}

/** Tells workflows of orders that they were never told of, and begins those again that somebody ended. */
export function createOrderReconciler({
  client,
  store,
  workflowType,
  workflowId,
  tell,
}: OrderReconcilerDeps) {
  async function beginAgain(): Promise<void> {
    const held = await store.held(UNTAKEN_AFTER_MS);
    if (held.length === 0) return;
    const running = await runningExecutions(client, workflowType);
    for (const { id, epoch } of held)
      if (!running.has(workflowId(id)) && (await statusOf(client, workflowId(id))) !== 'RUNNING')
        await tell(id, epoch, `-${Date.now()}`);
  }

  return async (): Promise<void> => {
    await store.freeOfDeletedHosts(UNTAKEN_AFTER_MS);
    for (const { id, epoch } of await store.untaken(UNTAKEN_AFTER_MS)) await tell(id, epoch);
    await beginAgain();
  };
}
