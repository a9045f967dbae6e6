import type { SystemMetrics } from '../../domain/myntrix/system-metrics.ts';
import { topics } from '../../domain/names.ts';
import type { Bus, Subscription } from '../../drivers/bus/port.ts';
import type { Logger } from '../../logs.ts';

/** Samples of hosts as they come in: one bus subscription while anybody listens. They are kept elsewhere, not here. */
export function createMetricsStream({ bus, log }: { bus: Bus; log: Logger }) {
  const listeners = new Set<(sample: SystemMetrics) => void>();
  let subscription: Promise<Subscription> | undefined;

  async function leave(): Promise<void> {
    const left = subscription;
    if (listeners.size > 0 || !left) return;
    subscription = undefined;
    await (await left).close();
  }

  return {
    /** @returns ends it */
    listen(listener: (sample: SystemMetrics) => void): () => void {
      listeners.add(listener);
      subscription ??= bus.subscribe(topics.metrics, (message) => {
        const sample = message as unknown as SystemMetrics; // only the platform may publish on this topic
        for (const tell of listeners) tell(sample);
      });
      subscription.catch((error: unknown) => {
        subscription = undefined; // whoever comes next tries again
        log.warn({ err: error }, 'samples of hosts cannot be watched');
      });
      return () => {
        listeners.delete(listener);
        leave().catch((error: unknown) => log.warn({ err: error }, 'unsubscribe'));
      };
    },
  };
}
