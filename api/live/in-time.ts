/**
 * What becomes of an answer that is waited for so long and no longer. When this process was held up itself at the
 * end of it, it waits anew, and what has arrived by then counts: timers are told first, before what came is read.
 * @throws what `late` makes when there is no answer in time; what the answer does
 */
export async function inTime<T>(withinMs: number, answer: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const isLate = new Promise<never>((_resolve, reject) => {
    const wait = (): void => {
      const due = performance.now() + withinMs;
      timer = setTimeout(() => {
        if (performance.now() - due > withinMs / 2) wait();
        else setImmediate(() => reject(late()));
      }, withinMs);
    };
    wait();
  });
  try {
    return await Promise.race([answer, isLate]);
  } finally {
    clearTimeout(timer);
  }
}
