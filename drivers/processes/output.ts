import type { Readable } from 'node:stream';
import { errorCode } from './error-code.ts';
import type { OutputPiece, OutputStream, ProcessSpec } from './port.ts';
import type { Spool } from './spool.ts';
import { createTextDecoder, pieces } from './text.ts';

const PIECE_BYTES = 32 * 1024;
const COALESCE_MS = 20;

/** What both streams of a process may still write. */
export interface Budget {
  left: number;
  onExceeded(): void;
}

export interface CollectOptions {
  spool: Spool;
  budget: Budget;
  onOutput: (piece: OutputPiece) => void;
  filter: ReturnType<NonNullable<ProcessSpec['filter']>> | undefined;
}

/**
 * Reads a stream to its end, or to the end of the budget, where it stops reading for good. Nothing is read
 * while the spool is behind, so that a process which prints fast waits instead of filling our memory.
 * @returns the spooled bytes.
 * @throws Error of the spool, when it cannot be written.
 */
export async function collect(
  source: Readable,
  stream: OutputStream,
  { spool, budget, onOutput, filter }: CollectOptions,
): Promise<number> {
  const decode = createTextDecoder();
  let pending = '';
  let offset = 0;
  let written: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  const keep = async (text: string): Promise<void> => {
    for (const bytes of pieces(Buffer.from(text), PIECE_BYTES)) {
      await spool.append(stream, bytes);
      onOutput({ stream, offset, bytes: bytes.length, text: bytes.toString('utf8') });
      offset += bytes.length;
    }
  };
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const text = pending;
    pending = '';
    written = written.then(() => keep(text));
    written.catch(() => {}); // whoever awaits the next flush gets the error
    return written;
  };

  try {
    for await (const chunk of chunks(source)) {
      const taken = chunk.subarray(0, budget.left);
      budget.left -= taken.length;
      pending += filter ? filter.push(decode(taken)) : decode(taken);
      if (taken.length < chunk.length) {
        budget.onExceeded();
        break;
      }
      if (pending.length >= PIECE_BYTES) await flush();
      else timer ??= setTimeout(flush, COALESCE_MS);
    }
    pending += filter ? filter.push(decode(undefined)) + filter.end() : decode(undefined);
    await flush();
    return offset;
  } finally {
    clearTimeout(timer);
    source.destroy();
  }
}

/** Ends quietly when somebody destroys the stream: no more is wanted of it then. */
async function* chunks(source: Readable): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of source) yield chunk;
  } catch (error) {
    if (errorCode(error) !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}
