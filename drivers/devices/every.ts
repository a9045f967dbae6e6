/** Does it so often until `signal`, and never twice at once. @param work never rejects */
export function every(ms: number, signal: AbortSignal, work: () => Promise<void>): void {
  let isDoing = false;
  const timer = setInterval(() => {
    if (isDoing) return;
    isDoing = true;
    void work().finally(() => {
      isDoing = false;
    });
  }, ms);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}
