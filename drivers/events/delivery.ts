import type { DeliveredEvent } from '../../domain/neosyntis/events.ts';
import { oneAtATime } from './one-at-a-time.ts';

export interface DeliveryDeps {
  /** The oldest events that a run has not been sent. */
  pending(runId: string): Promise<DeliveredEvent[]>;
  /** They need not be sent again. */
  delivered(runId: string, seqs: number[]): Promise<void>;
  /** @returns false when there is no such run now: it has not started, or has ended. */
  signal(runId: string, events: DeliveredEvent[]): Promise<boolean>;
  onError(error: unknown, runId: string): void;
}

export type Deliver = (runIds: readonly string[]) => Promise<void>;

/**
 * Sends runs what is due to them, those of one run in order and one signal at a time. What fails is left to the
 * reconciler; what was sent twice, because a process died between the signal and its note of it, a run takes once.
 */
export function createDelivery({ pending, delivered, signal, onError }: DeliveryDeps): Deliver {
  async function send(runId: string): Promise<void> {
    for (;;) {
      const events = await pending(runId);
      if (events.length === 0 || !(await signal(runId, events))) return;
      await delivered(
        runId,
        events.map(({ seq }) => seq),
      );
    }
  }

  return oneAtATime(send, onError);
}
