import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '../../../domain/errors.ts';
import { createGcodeRun } from '../gcode/run.ts';
import type { Transport } from '../port.ts';
import { checkCommand } from './command-text.ts';
import { createFeedHold } from './grbl-hold.ts';
import { type GrblLine, readGrblLine } from './grbl-lines.ts';
import { createLineSplitter } from './line-splitter.ts';
import { createOutbox, type Item, type Outcome } from './outbox.ts';
import type { DeviceEvent, DeviceProtocol } from './port.ts';

export interface GrblOptions {
  /** Of its receive buffer, in bytes. */
  bufferBytes?: number;
  /** From one `?` to the next; 0 asks never. */
  statusMs?: number;
  /** Of silence with lines under way, status reports not counted, until their outcome is unknown. */
  deadMs?: number;
  /** Sent by an emergency stop, instead of the reset (0x18). */
  emergencyBytes?: Uint8Array;
}

const RESET = Uint8Array.of(0x18);
/** An answer that is still on its way comes within so long. */
const LATE_MS = 300;
/** A `?` that was not answered is said again. */
const ASK_AGAIN_MS = 1_000;
const RESTARTED = 'the device started anew';

/** Taken out of the middle of a line by the firmware; those from 0x80 on are overrides of feed, spindle and coolant. */
const ACTS_AT_ONCE = /[?!~\u0080-\u00ff]/;
const AT_ONCE = '?, !, ~ or a character beyond ASCII';

/** Characters that act at once, wherever they are. */
export type Realtime = '?' | '!' | '~';

/**
 * GRBL 1.1: as many lines are under way as its receive buffer holds, each answered by `ok` or `error:N`. It has neither
 * numbers nor checksums: what was under way when an answer is missing is unknown, and nothing is sent again.
 */
export function createGrbl(
  transport: Transport,
  options: GrblOptions = {},
): DeviceProtocol & { realtime(character: Realtime): Promise<void> } {
  const { bufferBytes = 128, statusMs = 250, deadMs = 30_000 } = options;
  let emit = (_: DeviceEvent): void => {};
  let underWay: { item: Item; bytes: number }[] = [];
  let bytesUnderWay = 0;
  let isStopped = false;
  let version: string | undefined;
  let heardAt = performance.now();
  let idleReports = 0;
  /** When `?` was said that is not answered yet; 0 when there is none. */
  let askedAt = 0;
  let lastState = '';
  let reports = 0;
  let starts = 0;
  let over: string | undefined;
  /** Taken from the outbox, and too long for what is left of the buffer. */
  let held: Item | undefined;
  const outbox = createOutbox(pump, (text) => checkCommand(text, 'grbl'));

  function pump(): void {
    while (!isStopped) {
      if (underWay[0]?.item.alone) break;
      if (!held && outbox.nextIsAlone() && underWay.length > 0) break;
      held ??= outbox.take();
      if (!held) break;
      const bytes = held.text.length + 1;
      // A full buffer loses the character that does not fit.
      if (underWay.length > 0 && bytesUnderWay + bytes > bufferBytes - 1) break;
      const item = held;
      const isOdd = ACTS_AT_ONCE.test(item.text);
      if (isOdd && underWay.length > 0) break; // those before it count
      held = undefined;
      if (isOdd) {
        item.settle({ state: 'failed', reason: `it holds ${AT_ONCE}, which would act at once` });
        continue;
      }
      if (underWay.length === 0) heardAt = performance.now();
      underWay.push({ item, bytes });
      bytesUnderWay += bytes;
      item.sent();
      void transport.write(Buffer.from(`${item.text}\n`, 'latin1')).catch(() => {}); // `ended` tells
    }
  }

  function settle(outcome: Outcome): void {
    const first = underWay.shift();
    if (!first) return;
    bytesUnderWay -= first.bytes;
    first.item.settle(outcome);
    pump();
  }

  function lose(reason: string): void {
    const lost = underWay;
    underWay = [];
    bytesUnderWay = 0;
    for (const { item } of lost) item.settle({ state: 'unknown', reason });
    held?.settle({ state: 'unknown', reason });
    held = undefined;
  }

  /** For good: what it did before, and where it stands, is not known any more. */
  function forget(reason: string): void {
    outbox.failProgram(reason);
    lose(reason);
  }

  function stop(reason: string): void {
    isStopped = true;
    over ??= reason;
    clearInterval(polling);
    lose(reason);
    outbox.close(reason);
  }

  function onLine(text: string): void {
    const line = readGrblLine(text);
    if (line.kind !== 'status') {
      heardAt = performance.now();
      idleReports = 0;
    }
    handle(line, text);
  }

  function handle(line: GrblLine, text: string): void {
    switch (line.kind) {
      case 'ok':
        settle({ state: 'acknowledged' });
        return;
      case 'error':
        settle({ state: 'failed', reason: line.message });
        return;
      case 'alarm':
        emit({ kind: 'alarm', message: line.message });
        forget(line.message);
        return;
      case 'welcome':
        version = line.version;
        starts += 1;
        forget(RESTARTED); // first: what is sent because of the event is none of what was forgotten
        emit({ kind: 'reset' });
        pump();
        return;
      case 'status':
        status(line);
        return;
      default: {
        const first = underWay[0]?.item;
        if (first?.alone) first.said(text);
        else emit({ kind: 'log', line: text });
      }
    }
  }

  function status({ state, readings, buffer }: Extract<GrblLine, { kind: 'status' }>): void {
    reports += 1;
    if (state !== lastState) emit({ kind: 'state', state });
    lastState = state;
    if (readings.length > 0) emit({ kind: 'readings', readings });
    // Idle with an empty buffer, and lines without an answer: that answer or that line was lost.
    const isWaitingInVain = state === 'Idle' && buffer?.bytes === bufferBytes && underWay.length > 0;
    // What was asked before the last answer came may have been answered before the lines were looked at.
    idleReports = isWaitingInVain && askedAt > 0 ? idleReports + 1 : 0;
    askedAt = 0;
    if (idleReports >= 4) lose('the device is idle, and its answer was lost');
  }

  const polling = setInterval(
    () => {
      if (statusMs > 0 && performance.now() - askedAt > ASK_AGAIN_MS) {
        askedAt = performance.now();
        void transport.write(Buffer.from('?')).catch(() => {}); // `ended` tells
      }
      if (underWay.length > 0 && !lastState.startsWith('Hold') && performance.now() - heardAt > deadMs)
        lose(`the device has answered nothing for ${deadMs} ms`);
    },
    statusMs > 0 ? statusMs : 250,
  );
  polling.unref();
  transport.onData(createLineSplitter(onLine));
  void transport.ended.then((end) => stop(end.kind === 'lost' ? end.reason : 'the connection was closed'));

  return {
    name: 'grbl',
    async identify(timeoutMs) {
      const until = performance.now() + timeoutMs;
      for (let isAgain = false; ; isAgain = true) {
        const leftMs = Math.max(1, until - performance.now());
        const { state, lines, reason } = await outbox.command('$I', leftMs);
        const found = /\[VER:([^:\]]*)/.exec(lines.join('\n'))?.[1] ?? version;
        // A start from before we connected: the first question is answered as well, and not by the next line.
        if (state !== 'unknown' && isAgain) await delay(LATE_MS);
        if (state !== 'unknown' && found !== undefined)
          return { firmwareName: 'Grbl', firmwareVersion: found, details: { info: lines.join(' ') } };
        // Boards start when they are connected to, and forget what they were asked before: this one may be asked again.
        if (reason !== RESTARTED || isStopped)
          throw new AppError('timeout', `nobody answered $I within ${timeoutMs} ms as GRBL does`);
      }
    },
    async command(text, { timeoutMs }) {
      checkCommand(text);
      if (ACTS_AT_ONCE.test(text))
        throw new AppError(
          'invalid',
          `the command holds ${AT_ONCE}, which act at once: ?, ! and ~ are commands of their own`,
        );
      return outbox.command(text.trim(), timeoutMs);
    },
    realtime: (character) => transport.write(Buffer.from(character)),
    feedHold: createFeedHold(
      (bytes) => transport.write(Buffer.from(bytes)),
      () => ({ reports, state: lastState, starts, over }),
    ),
    async emergencyStop() {
      const bytes = transport.overtake(options.emergencyBytes ?? RESET);
      stop('an emergency stop was sent');
      await bytes;
    },
    run: (source, runOptions) => createGcodeRun(source, outbox, runOptions),
    onEvent: (listener) => {
      emit = listener;
    },
    close: () => stop('the connection was closed'),
  };
}
