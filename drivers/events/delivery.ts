import type { DeliveredEvent } from '../../domain/neosyntis/events.ts';

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
  /** Runs that are being sent something, and whether more has come meanwhile. */
  const busy = new Map<string, { more: boolean; done: Promise<void> }>();

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

  function deliver(runId: string): Promise<void> {
    const current = busy.get(runId);
    if (current) {
      current.more = true;
      return current.done;
    }
    const state = { more: false, done: Promise.resolve() };
    busy.set(runId, state);
    state.done = (async () => {
      try {
        do {
          state.more = false;
          await send(runId);
        } while (state.more);
      } catch (error) {
        onError(error, runId);
      } finally {
        busy.delete(runId);
      }
    })();
    return state.done;
  }

  return async (runIds) => void (await Promise.all(runIds.map(deliver)));
}
