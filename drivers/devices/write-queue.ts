import { AppError } from '../../domain/errors.ts';

/** Writes one piece at a time, so that what follows can still be dropped. */
export interface WriteQueue {
  push(bytes: Uint8Array): Promise<void>;
  /** Refuses everything that is not being written yet. Resolves when what is being written is over, or after `waitMs`. */
  drop(waitMs: number): Promise<void>;
  /** Refuses everything, from now on. */
  end(reason: string): void;
}

/** So much waits at most; whoever writes more does not wait for its writes. */
const LIMIT_BYTES = 1_048_576;
/** Handed to the operating system at once: what is more can be dropped while it waits here. */
const PIECE_BYTES = 4_096;

interface Waiting {
  bytes: Uint8Array;
  resolve(): void;
  reject(error: Error): void;
}

/** @param write resolves when the operating system has all the bytes */
export function createWriteQueue(write: (bytes: Uint8Array) => Promise<void>): WriteQueue {
  let waiting: Waiting[] = [];
  let bytesWaiting = 0;
  let current: Promise<void> | undefined;
  let ended: string | undefined;

  const refuse = (why: string): void => {
    const refused = waiting;
    waiting = [];
    bytesWaiting = 0;
    for (const { reject } of refused) reject(new AppError('unavailable', why));
  };

  async function run(): Promise<void> {
    while (waiting.length > 0 && ended === undefined) {
      const taken = takeTogether();
      try {
        await write(
          taken.length === 1 && taken[0] ? taken[0].bytes : Buffer.concat(taken.map(({ bytes }) => bytes)),
        );
        for (const { resolve } of taken) resolve();
      } catch (error) {
        const why = error instanceof Error ? error : new Error(String(error));
        for (const { reject } of taken) reject(why);
      }
    }
    current = undefined;
  }

  /** Several small pieces go in one call. */
  function takeTogether(): Waiting[] {
    let count = 0;
    let size = 0;
    for (const { bytes } of waiting) {
      if (count > 0 && size + bytes.length > PIECE_BYTES) break;
      count += 1;
      size += bytes.length;
    }
    bytesWaiting -= size;
    return waiting.splice(0, count);
  }

  return {
    push(bytes) {
      if (ended !== undefined) return Promise.reject(new AppError('unavailable', ended));
      if (bytesWaiting + bytes.length > LIMIT_BYTES)
        return Promise.reject(
          new AppError(
            'unavailable',
            `${bytesWaiting} bytes wait to be written already: the device takes none`,
          ),
        );
      bytesWaiting += bytes.length;
      const done = new Promise<void>((resolve, reject) => waiting.push({ bytes, resolve, reject }));
      current ??= run();
      return done;
    },
    async drop(waitMs) {
      refuse('dropped: something more urgent was sent instead');
      if (!current) return;
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, waitMs);
      await Promise.race([current, late.promise]);
      clearTimeout(timer);
    },
    end(reason) {
      ended = reason;
      refuse(reason);
    },
  };
}
