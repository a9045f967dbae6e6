import { AppError } from '../../../domain/errors.ts';
import type { ConnectionEnd } from '../port.ts';
import { createOutbox, type Item, type Outcome } from './outbox.ts';
import type { DeviceEvent, DeviceProtocol, Identity, ProtocolName } from './port.ts';

/** What became of a call. */
export type Called = Outcome & {
  lines: string[];
};

export interface CallsOptions {
  name: ProtocolName;
  ended: Promise<ConnectionEnd>;
  identify(timeoutMs: number): Promise<Identity>;
  /** What is wrong with a command. */
  check(text: string): void;
  /** Never rejects; `signal` gives it up. */
  perform(text: string, signal: AbortSignal): Promise<Called>;
  /** Sends the emergency stop at once, whatever else is under way. */
  emergency: (() => Promise<void>) | undefined;
}

export interface Calls {
  protocol: DeviceProtocol;
  emit(event: DeviceEvent): void;
  /** A command is under way or waits: what is less urgent can wait as well. */
  isBusy(): boolean;
}

/** One call after the other, each with its own answer: what `modbus` and `http` have in common. */
export function createCalls({ name, ended, identify, check, perform, emergency }: CallsOptions): Calls {
  let listener = (_: DeviceEvent): void => {};
  let current: { item: Item; giveUp: AbortController } | undefined;
  let isStopped = false;
  const outbox = createOutbox(() => void pump(), check);

  async function pump(): Promise<void> {
    if (current || isStopped) return;
    const item = outbox.take();
    if (!item) return;
    const mine = { item, giveUp: new AbortController() };
    current = mine;
    item.sent(() => mine.giveUp.abort(new Error('no answer in time')));
    const { lines, ...outcome } = await perform(item.text, mine.giveUp.signal);
    for (const line of lines) item.said(line);
    item.settle(outcome);
    current = undefined;
    void pump();
  }

  function stop(reason: string): void {
    isStopped = true;
    current?.item.settle({ state: 'unknown', reason });
    current?.giveUp.abort(new Error(reason));
    outbox.close(reason);
  }

  void ended.then((end) => stop(end.kind === 'lost' ? end.reason : 'the connection was closed'));
  return {
    emit: (event) => listener(event),
    isBusy: () => current !== undefined,
    protocol: {
      name,
      identify,
      command: async (text, { timeoutMs }) => outbox.command(text, timeoutMs),
      async emergencyStop() {
        if (!emergency)
          throw new AppError(
            'conflict',
            `the protocol ${name} has no emergency stop: configure ${name}.emergency`,
          );
        const told = emergency();
        stop('an emergency stop was sent');
        await told;
      },
      onEvent: (next) => {
        listener = next;
      },
      close: () => stop('the connection was closed'),
    },
  };
}
