const LOOK_MS = 1_000;

/**
 * A connection may be open with nobody at its other end. That is told, and nothing is done: a program may be under way.
 * @param tell with what to say, once; and with nothing once the device says something again
 */
export function watchSilence(
  silentMs: number,
  lastSeen: () => Date | undefined,
  tell: (silence: string | undefined) => void,
): { stop(): void } {
  let isSilent = false;
  const openedAt = Date.now();
  const watch = setInterval(() => {
    const since = lastSeen();
    const now = Date.now() - Math.max(since?.getTime() ?? 0, openedAt) > silentMs;
    if (now === isSilent) return;
    isSilent = now;
    tell(
      now
        ? `The connection is open, and the device has said nothing since ${since?.toISOString() ?? 'it was opened'}.`
        : undefined,
    );
  }, LOOK_MS);
  return { stop: () => clearInterval(watch) };
}
