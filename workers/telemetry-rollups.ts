import { setTimeout as delay } from 'node:timers/promises';
import type { TelemetryRollups } from '../db/neosyntis/telemetry-rollups.ts';
import type { Logger } from '../logs.ts';

const EVERY_MS = 10_000;

/** Rolls up telemetry now and then. It is a matter of the database alone, and goes on while Temporal is away. */
export function keepRollingUp({ rollUp }: TelemetryRollups, log: Logger): { close(): Promise<void> } {
  const stopping = new AbortController();
  async function work(): Promise<void> {
    while (!stopping.signal.aborted) {
      await rollUp(Date.now, () => stopping.signal.aborted).catch((error: unknown) =>
        log.warn({ err: error }, 'telemetry is rolled up later'),
      );
      // Aborted is over.
      await delay(EVERY_MS, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }
  const working = work();
  return {
    async close() {
      stopping.abort();
      await working;
    },
  };
}
