import type { Client } from '@temporalio/client';
import { eventStartsId, PLATFORM_QUEUE, wakeSignal, workflowTypes } from '../../domain/names.ts';
import { oneAtATime } from './one-at-a-time.ts';

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
  const send = (scheduleId: string) =>
    call((client) =>
      client.workflow.signalWithStart(workflowTypes.startByEvents, {
        workflowId: eventStartsId(scheduleId),
        taskQueue: PLATFORM_QUEUE,
        signal: wakeSignal,
      }),
    );

  return oneAtATime(send, onError);
}
