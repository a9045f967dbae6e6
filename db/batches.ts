/** Items of one statement at most. */
const BATCH = 100;

/** A write that takes longer holds up no other one: its connection may be dead. */
const HELD_UP_MS = 1_000;

/**
 * Writes what comes while a write is under way together in the next one: each transaction costs a commit. Items that
 * cannot be written together are written one by one, so that one that is refused takes no other with it.
 */
export function createBatches<Item>(write: (items: Item[]) => Promise<unknown>) {
  interface Waiting {
    item: Item;
    done(): void;
    failed(error: unknown): void;
  }
  const waiting: Waiting[] = [];
  let isWriting = false;

  async function writeBatch(batch: Waiting[]): Promise<void> {
    try {
      await write(batch.map(({ item }) => item));
      for (const { done } of batch) done();
    } catch (error) {
      if (batch.length === 1) batch[0]?.failed(error);
      else await Promise.all(batch.map(({ item, done, failed }) => write([item]).then(done, failed)));
    }
  }

  async function writeAll(): Promise<void> {
    while (waiting.length > 0) await atMost(HELD_UP_MS, writeBatch(waiting.splice(0, BATCH)));
    isWriting = false;
  }

  return {
    /** Resolves when the item is committed; rejects when it is not. */
    add: (item: Item): Promise<void> =>
      new Promise((done, failed) => {
        waiting.push({ item, done, failed });
        if (isWriting) return;
        isWriting = true;
        void writeAll();
      }),
  };
}

/** Waits for what never rejects, and no longer than that. */
async function atMost(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
