import { AppError } from '../../../domain/errors.ts';
import type { Transport } from '../port.ts';
import { checkCommand } from './command-text.ts';
import { createOutbox, type Item } from './outbox.ts';
import type { DeviceEvent, DeviceProtocol, ProtocolName } from './port.ts';

export interface Exchange {
  protocol: DeviceProtocol;
  /** Something that answers the command under way, if there is one. */
  said(line: string, how: { isLast: boolean; isError: boolean }): void;
  emit(event: DeviceEvent): void;
  /** There will be no answer to the command under way. */
  unanswered(reason: string): void;
}

/** After a command without an answer, what comes within so long is taken for its late answer. */
const LATE_MS = 1_000;

/** One command, then its answer, then the next one: what `lines`, `json-lines` and `raw` have in common. */
export function createExchange(
  transport: Transport,
  {
    name,
    bytesOf,
    check,
    checkText = (text) => checkCommand(text, name),
    emergencyBytes,
  }: {
    name: ProtocolName;
    bytesOf(text: string): Uint8Array;
    /** What is wrong with a command. */
    check?: (text: string) => string | undefined;
    /** Instead of one line of printable characters, of the protocol’s length. */
    checkText?: (text: string) => void;
    emergencyBytes: Uint8Array | undefined;
  },
): Exchange {
  let listener = (_: DeviceEvent): void => {};
  let current: { item: Item; isError: boolean; isGivenUp: boolean } | undefined;
  let isStopped = false;
  const outbox = createOutbox(() => pump(), checkText);

  function pump(): void {
    if (current || isStopped) return;
    const item = outbox.take();
    if (!item) return;
    current = { item, isError: false, isGivenUp: false };
    item.sent();
    void transport.write(bytesOf(item.text)).catch(() => {}); // `ended` tells
  }

  function next(): void {
    current = undefined;
    pump();
  }

  function stop(reason: string): void {
    isStopped = true;
    current?.item.settle({ state: 'unknown', reason });
    outbox.close(reason);
  }

  void transport.ended.then((end) => stop(end.kind === 'lost' ? end.reason : 'the connection was closed'));
  const protocol: DeviceProtocol = {
    name,
    async identify() {
      return { details: {} }; // nothing that all such devices could be asked
    },
    async command(text, { timeoutMs }) {
      const wrong = check?.(text);
      if (wrong !== undefined) throw new AppError('invalid', wrong);
      const answer = await outbox.command(text, timeoutMs);
      const given = current;
      if (answer.state === 'unknown' && given && !isStopped) {
        // A late answer must not be taken for that of the next command.
        given.isGivenUp = true;
        setTimeout(() => given === current && next(), LATE_MS);
      }
      return answer;
    },
    async emergencyStop() {
      if (!emergencyBytes)
        throw new AppError('conflict', `the protocol ${name} has no emergency stop: configure its bytes`);
      const bytes = transport.overtake(emergencyBytes);
      stop('an emergency stop was sent');
      await bytes;
    },
    onEvent: (next) => {
      listener = next;
    },
    close: () => stop('the connection was closed'),
  };
  return {
    protocol,
    emit: (event) => listener(event),
    unanswered(reason) {
      if (!current) return;
      current.item.settle({ state: 'unknown', reason });
      next();
    },
    said(line, { isLast, isError }) {
      if (!current || current.isGivenUp) {
        listener({ kind: 'log', line });
        if (current && isLast) next();
        return;
      }
      current.item.said(line);
      current.isError ||= isError;
      if (!isLast) return;
      current.item.settle(current.isError ? { state: 'failed', reason: line } : { state: 'acknowledged' });
      next();
    },
  };
}
