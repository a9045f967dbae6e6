import { setTimeout as delay } from 'node:timers/promises';

/** Asks until the condition holds or the time is up; says which. */
export async function waitUntil(
  condition: () => Promise<boolean>,
  withinMs: number,
  pauseMs = 20,
): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    if (await condition()) return true;
    if (performance.now() >= deadline) return false;
    await delay(pauseMs);
  }
}
