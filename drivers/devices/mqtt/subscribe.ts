import type { MqttClient } from 'mqtt';

/** @throws Error for a topic that the broker does not give */
export async function subscribe(client: MqttClient, filters: readonly string[]): Promise<void> {
  await Promise.all(
    [...new Set(filters)].map(async (filter) => {
      const granted = await client.subscribeAsync(filter, { qos: 1 }).catch((error: Error) => {
        throw client.connected ? new Error(`the broker refuses ${filter}`, { cause: error }) : error;
      });
      if (granted.some(({ qos }) => qos === 128)) throw new Error(`the broker refuses ${filter}`);
    }),
  );
}

/** @returns false when the time is over, or the signal gives it up */
export async function inTime(work: Promise<unknown>, ms: number, signal: AbortSignal): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const giveUp = (): void => late.resolve(false);
  const timer = setTimeout(giveUp, Math.max(1, ms));
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([work.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
  }
}
