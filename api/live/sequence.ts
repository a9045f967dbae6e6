/** Anything numbered. */
export interface Numbered {
  seq: number;
}

export interface SequenceOptions<T extends Numbered> {
  /** The last number that was delivered. */
  after: number;
  /** Reads what follows a number from where it is kept, oldest first, in pieces. */
  read(after: number): Promise<T[]>;
  deliver(item: T): void;
  /** What follows the last delivered item is not kept any more; nothing is delivered after this. */
  lost(): void;
  onError(error: unknown): void;
}

/**
 * Delivers numbered items in order, each once, whatever the bus loses, repeats or reorders: what arrives with
 * the next number goes straight through, and a gap is read from the database.
 */
export function createSequence<T extends Numbered>({
  after,
  read,
  deliver,
  lost,
  onError,
}: SequenceOptions<T>) {
  let last = after;
  let catching: Promise<void> | undefined;
  let wanted = after;
  let isLost = false;

  function pass(item: T) {
    if (isLost || item.seq !== last + 1) return;
    last = item.seq;
    deliver(item);
  }

  async function catchUp(): Promise<void> {
    while (last < wanted && !isLost) {
      const before = last;
      for (const item of await read(last)) pass(item);
      // What is announced may not be readable for a moment; the next announcement or poll asks again.
      if (last === before) return;
    }
  }

  function fill() {
    catching ??= catchUp()
      .catch(onError)
      .finally(() => {
        catching = undefined;
        if (last < wanted) wanted = last;
      });
  }

  return {
    /** Something came over the bus. */
    push(item: T) {
      if (catching === undefined && item.seq === last + 1) return pass(item);
      if (item.seq > last) this.announce(item.seq);
    },
    /** The newest number there is, and up to which number nothing is kept. */
    announce(seq: number, pruned = 0) {
      if (isLost || seq <= last) return;
      if (pruned > last && catching === undefined) {
        isLost = true;
        return lost();
      }
      wanted = Math.max(wanted, seq);
      fill();
    },
    last: () => last,
  };
}

export type Sequence<T extends Numbered> = ReturnType<typeof createSequence<T>>;
