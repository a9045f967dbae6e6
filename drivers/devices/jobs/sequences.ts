import type { SafeSequences } from '../../../domain/myntrix/device-jobs.ts';
import type { DeviceProtocol, ProtocolName } from '../protocols/port.ts';

/** Heating up is one command. */
const COMMAND_MS = 30 * 60_000;

const off: Partial<Record<ProtocolName, string[]>> = {
  marlin: ['M104 S0', 'M140 S0', 'M107', 'M84'],
  grbl: ['M5', 'M9'],
};

/** What is sent when a program is paused, goes on, or is cancelled, where nobody has configured it. */
export const sequencesFor = (name: ProtocolName, given: SafeSequences) => ({
  pause: given.pause ?? [],
  resume: given.resume ?? [],
  cancel: given.cancel ?? off[name] ?? [],
});

/**
 * Sends commands, each once the one before is acknowledged.
 * @param isOver asked before each: whether the rest is wanted no more
 * @returns what became of the first one that was not acknowledged
 */
export async function sendAll(
  protocol: DeviceProtocol,
  commands: readonly string[],
  isOver: () => boolean = () => false,
): Promise<string | undefined> {
  for (const command of commands) {
    if (isOver()) return undefined;
    const { state, reason } = await protocol
      .command(command, { timeoutMs: COMMAND_MS })
      .catch((error: Error) => ({ state: 'not sent' as const, reason: error.message })); // it throws before it sends
    if (state !== 'acknowledged') return `${command} is ${state}${reason === undefined ? '' : `: ${reason}`}`;
  }
  return undefined;
}
