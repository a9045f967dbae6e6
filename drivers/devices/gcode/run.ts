import { AppError } from '../../../domain/errors.ts';
import type { Item, Outbox, Outcome, Program } from '../protocols/outbox.ts';
import type { GcodeLine, GcodeRun, GcodeSource, RunEnd, RunOptions, RunProgress } from './port.ts';

/** Read ahead, so that the window never waits for the source. */
const AHEAD = 500;
const SAFE_LINE_MS = 60_000;

/** Streams a program by the outbox of a protocol, as fast as its window lets it. */
export function createGcodeRun(
  source: GcodeSource,
  outbox: Outbox,
  options: RunOptions = {},
  /** Asks the device, after the last line, whether it has them all. @returns why that is not known */
  confirm: () => Promise<string | undefined> = async () => undefined,
): GcodeRun {
  if (outbox.hasProgram()) throw new AppError('conflict', 'the device runs a program already');
  const over = Promise.withResolvers<RunEnd>();
  const progress: RunProgress = { acknowledgedLines: 0, acknowledgedBytes: 0, sourceLine: 0, sentLines: 0 };
  let ready: GcodeLine[] = [];
  let at = 0;
  let isRead = false;
  let isConfirming = false;
  let state: 'running' | 'paused' | 'cancelling' | 'dropping' | 'over' = 'running';
  let wakeReader: (() => void) | undefined;
  const whenSettled: (() => void)[] = [];
  let toldAt = 0;

  const snapshot = (): RunProgress => ({ ...progress });
  const isSettled = (): boolean => progress.sentLines === progress.acknowledgedLines;

  function finish(end: RunEnd): void {
    if (state === 'over') return;
    state = 'over';
    outbox.setProgram(undefined);
    wakeReader?.();
    for (const tell of whenSettled.splice(0)) tell();
    options.onProgress?.(end.progress);
    over.resolve(end);
  }

  function next(): Item | undefined {
    if (state !== 'running') return undefined;
    const line = ready[at];
    if (!line) return undefined;
    at += 1;
    if (ready.length - at < AHEAD / 2) wakeReader?.();
    progress.sentLines += 1;
    return {
      text: line.text,
      alone: false,
      sent() {},
      said() {},
      settle: (outcome) => settled(line, outcome),
    };
  }

  function settled(line: GcodeLine, outcome: Outcome): void {
    // What the device forgets because it is told to is known to nobody.
    if (state === 'over' || (state === 'dropping' && outcome.state !== 'acknowledged')) return;
    if (outcome.state !== 'acknowledged') {
      const reason = `line ${line.sourceLine} (${line.text}): ${outcome.reason}`;
      finish({ kind: 'held', reason, progress: snapshot() });
      return;
    }
    progress.acknowledgedLines += 1;
    progress.acknowledgedBytes = line.endByte;
    progress.sourceLine = line.sourceLine;
    if (isSettled()) {
      for (const tell of whenSettled.splice(0)) tell();
      complete();
    }
    const now = performance.now();
    if (options.onProgress && now - toldAt >= (options.progressMs ?? 250)) {
      toldAt = now;
      options.onProgress(snapshot());
    }
  }

  function complete(): void {
    if (!isRead || at < ready.length || !isSettled() || state !== 'running' || isConfirming) return;
    isConfirming = true;
    void confirm().then((reason) =>
      finish(
        reason === undefined
          ? { kind: 'completed', progress: snapshot() }
          : { kind: 'held', reason: `after the last line: ${reason}`, progress: snapshot() },
      ),
    );
  }

  async function read(): Promise<void> {
    try {
      for await (const lines of source) {
        if (state === 'over') return;
        ready = at === 0 ? ready.concat(lines) : ready.slice(at).concat(lines);
        at = 0;
        outbox.setProgram(program);
        while (ready.length - at >= AHEAD && !isOver())
          await new Promise<void>((resolve) => {
            wakeReader = resolve;
          });
      }
      isRead = true;
      complete();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      finish({ kind: 'held', reason, progress: snapshot() });
    }
  }

  const program: Program = {
    next,
    fail(reason) {
      if (state !== 'dropping') finish({ kind: 'held', reason, progress: snapshot() });
    },
  };
  const isOver = (): boolean => state === 'over';
  const allSettled = (): Promise<void> =>
    isSettled() || isOver() ? Promise.resolve() : new Promise((resolve) => whenSettled.push(resolve));

  outbox.setProgram(program);
  void read();
  return {
    progress: snapshot,
    ended: over.promise,
    pause() {
      if (state === 'running') state = 'paused';
      return allSettled();
    },
    resume() {
      if (state !== 'paused') return;
      state = 'running';
      outbox.setProgram(program);
      complete();
    },
    async cancel(safeSequence, drop) {
      if (isOver()) return over.promise;
      if (drop) await dropped(drop);
      else {
        state = 'cancelling';
        await allSettled();
      }
      for (const line of safeSequence) {
        if (isOver()) break;
        const { state: outcome, reason } = await outbox
          .command(line, SAFE_LINE_MS)
          .catch((error: Error) => ({ state: 'not sent', reason: error.message }));
        if (outcome === 'acknowledged') continue;
        const problem = `${line} of the safe sequence is ${outcome}: ${reason}; what comes after it was not sent`;
        finish({ kind: 'cancelled', progress: snapshot(), reason: problem });
      }
      finish({ kind: 'cancelled', progress: snapshot() });
      return over.promise;
    },
  };

  async function dropped(drop: () => Promise<void>): Promise<void> {
    state = 'dropping';
    try {
      await drop();
    } catch (error) {
      const reason = `it was to be cancelled: ${error instanceof Error ? error.message : String(error)}`;
      finish({ kind: 'held', reason, progress: snapshot() });
    }
  }
}
