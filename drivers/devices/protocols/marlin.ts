import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '../../../domain/errors.ts';
import { createGcodeRun } from '../gcode/run.ts';
import type { Transport } from '../port.ts';
import { checkCommand } from './command-text.ts';
import { createLineSplitter } from './line-splitter.ts';
import { type MarlinLine, readIdentity, readMarlinLine, readTemperatures } from './marlin-lines.ts';
import { createMarlinSender, type SenderOptions } from './marlin-sender.ts';
import { createOutbox } from './outbox.ts';
import type { DeviceEvent, DeviceProtocol } from './port.ts';

export type MarlinOptions = Partial<SenderOptions> & {
  /** Sent by an emergency stop, instead of M112. */
  emergencyBytes?: Uint8Array;
};

/** An answer that is still on its way comes within so long. */
const LATE_MS = 200;
const RESTARTED = 'the device started anew';

/** The receive buffer of an AVR board is 128 bytes, and its queue four commands. */
const WINDOW = { lines: 4, bytes: 127 };

/** Marlin and what speaks as it does (RepRap, Repetier, Prusa, Klipper's and Smoothie's Marlin mode). */
export function createMarlin(transport: Transport, options: MarlinOptions = {}): DeviceProtocol {
  let emit = (_: DeviceEvent): void => {};
  let wasResend = false;
  let error: string | undefined;
  const outbox = createOutbox(
    () => sender.pump(),
    (text) => checkCommand(text, 'marlin'),
  );
  const sender = createMarlinSender(
    {
      outbox,
      write: (wire) => void transport.write(Buffer.from(wire, 'latin1')).catch(() => {}), // `ended` tells
      onLost: stop,
    },
    {
      window: options.window ?? WINDOW,
      ackTimeoutMs: options.ackTimeoutMs ?? 5_000,
      recoverMs: options.recoverMs ?? 200,
      deadMs: options.deadMs ?? 60_000,
    },
  );

  function stop(reason: string): void {
    sender.stop(reason);
    outbox.close(reason);
  }

  function restarted(reason: string): void {
    outbox.failProgram(reason);
    sender.restart(reason);
  }

  function onLine(text: string): void {
    const line = readMarlinLine(text);
    sender.heard();
    // The firmware says `ok` right after `Resend:`, for no line at all.
    const isOfResend = wasResend && line.kind === 'ok';
    wasResend = line.kind === 'resend';
    if (!isOfResend) handle(line, text);
  }

  function handle(line: MarlinLine, text: string): void {
    switch (line.kind) {
      case 'ok':
        acknowledged(line, text);
        return;
      case 'resend':
        error = undefined; // the line before said why, and it is mended
        sender.resend(line.number);
        return;
      case 'wait':
        sender.idle();
        return;
      case 'busy':
        emit({ kind: 'state', state: `busy: ${line.what}` });
        return;
      case 'start':
        restarted(RESTARTED); // first: what is sent because of the event is numbered anew
        emit({ kind: 'reset' });
        return;
      case 'temperatures':
        emit({ kind: 'readings', readings: line.readings });
        return;
      case 'position':
        emit({ kind: 'readings', readings: line.readings });
        if (!isAskedFor()) return;
        break;
      case 'error':
        if (/^(Line Number|checksum|No Checksum|No Line Number|expected line)/i.test(line.text)) return;
        error = line.text;
        if (/halted|kill\(\)/i.test(line.text)) {
          emit({ kind: 'alarm', message: line.text });
          restarted(line.text);
          return;
        }
        break;
      default:
        break;
    }
    const current = sender.current();
    if (current?.alone) {
      current.said(text);
      if (/^echo:\s*Unknown command/i.test(text)) error = text.replace(/^echo:\s*/, '');
    } else emit({ kind: 'log', line: text });
  }

  /** Where the tool is, which it tells by itself in the same words. */
  const isAskedFor = (): boolean => /^M114\b/i.test(sender.current()?.text.trim() ?? '');

  function acknowledged({ number, rest }: Extract<MarlinLine, { kind: 'ok' }>, text: string): void {
    const readings = readTemperatures(text);
    if (readings.length > 0) emit({ kind: 'readings', readings });
    const current = sender.current();
    if (current?.alone) {
      if (rest !== '') current.said(rest);
      if (error !== undefined) current.settle({ state: 'failed', reason: error });
    }
    error = undefined;
    sender.ok(number);
  }

  /** M105's own `ok` tells a temperature, so it is not another line's; its number tells that all before it came. */
  async function confirm(): Promise<string | undefined> {
    for (let time = 0; time < 3; time++) {
      const { state, lines, reason } = await outbox
        .command('M105', options.deadMs ?? 60_000)
        .catch((problem: Error) => ({ state: 'unknown', lines: [], reason: problem.message }));
      if (state !== 'acknowledged') return reason;
      if (lines.some((line) => readTemperatures(line).length > 0)) break;
    }
    return undefined;
  }

  transport.onData(createLineSplitter(onLine));
  void transport.ended.then((end) => stop(end.kind === 'lost' ? end.reason : 'the connection was closed'));
  sender.pump();

  return {
    name: 'marlin',
    async identify(timeoutMs) {
      const until = performance.now() + timeoutMs;
      for (let time = 1; ; time++) {
        const { state, lines, reason } = await outbox.command('M115', Math.max(1, until - performance.now()));
        const identity = readIdentity(lines);
        if (state !== 'unknown' && (identity.firmwareName !== undefined || time > 2)) return identity;
        // Boards start when they are connected to, and forget what they were asked before, or answer it late: this
        // one may be asked again.
        if (state === 'unknown' && reason !== RESTARTED)
          throw new AppError('timeout', `nobody answered M115 within ${timeoutMs} ms as Marlin does`);
        await delay(LATE_MS);
      }
    },
    async command(text, { timeoutMs }) {
      if (/^\s*(N\d+\s*)?M110\b/i.test(text))
        throw new AppError('invalid', 'M110 numbers the connection’s own lines');
      if (!/^\s*M112\b/i.test(text)) return outbox.command(text.trim(), timeoutMs);
      const sentAt = new Date();
      await this.emergencyStop();
      return {
        state: 'unknown',
        lines: [],
        reason: 'an emergency stop has no answer',
        sentAt,
        answeredAt: null,
      };
    },
    async emergencyStop() {
      // The first newline ends what was half sent; firmware with an emergency parser reads it before all that waits.
      const bytes = transport.overtake(options.emergencyBytes ?? Buffer.from('\nM112\n'));
      stop('an emergency stop was sent');
      await bytes;
    },
    run: (source, runOptions) => createGcodeRun(source, outbox, runOptions, confirm),
    onEvent: (listener) => {
      emit = listener;
    },
    close: () => stop('the connection was closed'),
  };
}
