import type { Client } from '@temporalio/client';
import { eventStartsId, PLATFORM_QUEUE, wakeSignal, workflowTypes } from '../../domain/names.ts';

export interface WakeDeps {
  /** Lends a client to Temporal, for as long as a call may take. */
  call(work: (client: Client) => Promise<unknown>): Promise<unknown>;
  onError(error: unknown, scheduleId: string): void;
}

export type Wake = (scheduleIds: readonly string[]) => Promise<void>;

/**
 * Says that events have come for schedules: who holds them against its filters is begun, or looks once more. Of many
 * words at once to one schedule two are sent. What fails is left to the reconciler.
 */
export function createWake({ call, onError }: WakeDeps): Wake {
  const busy = new Map<string, { more: boolean; done: Promise<void> }>();

  const send = (scheduleId: string) =>
    call((client) =>
      client.workflow.signalWithStart(workflowTypes.startByEvents, {
        workflowId: eventStartsId(scheduleId),
        taskQueue: PLATFORM_QUEUE,
        signal: wakeSignal,
      }),
    );

  function wake(scheduleId: string): Promise<void> {
    const current = busy.get(scheduleId);
    if (current) {
      current.more = true;
      return current.done;
    }
    const state = { more: false, done: Promise.resolve() };
    busy.set(scheduleId, state);
    state.done = (async () => {
      try {
        do {
          state.more = false;
          await send(scheduleId);
        } while (state.more);
      } catch (error) {
        onError(error, scheduleId);
      } finally {
        busy.delete(scheduleId);
      }
    })();
    return state.done;
  }

  return async (scheduleIds) => void (await Promise.all(scheduleIds.map(wake)));
}
