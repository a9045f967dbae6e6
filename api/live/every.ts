/** Does something again and again, with a pause between, never twice at once; errors are told and survived. */
export function every(
  pauseMs: number,
  work: () => Promise<void>,
  onError: (error: unknown) => void,
): { stop(): void } {
  let timer: NodeJS.Timeout;
  let stopped = false;
  const next = () => {
    timer = setTimeout(async () => {
      await work().catch(onError);
      if (!stopped) next();
    }, pauseMs);
  };
  next();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
