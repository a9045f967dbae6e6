import { AppError } from '../../domain/errors.ts';
import type { DeviceAnswer, DeviceCommand } from '../../domain/myntrix/device-commands.ts';
import type { HostAsker } from './ask-hosts.ts';

/** Beyond the time that the device has to answer: the way there and back. */
const WAY_MS = 3_000;

export interface CommandToGive {
  id: string;
  device: { id: string; name: string; host: string };
  command: string;
  timeoutMs: number;
  requestedBy: string | null;
  runId: string | null;
  /** What gives it once, however often it is repeated. */
  origin: string | null;
}

/** Where commands are recorded. */
export interface CommandRecord {
  /** @returns whether it is new */
  begin(command: {
    id: string;
    deviceId: string;
    kind: 'command';
    command: string;
    requestedBy: string | null;
    runId: string | null;
    origin: string | null;
  }): Promise<boolean>;
  settle(answer: DeviceAnswer): Promise<DeviceCommand | undefined>;
  get(deviceId: string, id: string): Promise<DeviceCommand | undefined>;
}

/**
 * Gives commands to devices: written as `unknown` first, then sent, then what came of it. Whatever dies in between, the
 * record tells no more than is known. Those of one device are sent in the order in which they were written here.
 */
export function createCommandGiver({ record, asker }: { record: CommandRecord; asker: HostAsker }) {
  const turns = new Map<string, Promise<unknown>>();

  /** Written, then handed to the bus, one after the other; the answers are waited for side by side. */
  function inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const turn = (turns.get(id) ?? Promise.resolve()).then(work, work);
    turns.set(id, turn);
    const forget = () => void (turns.get(id) === turn && turns.delete(id));
    turn.then(forget, forget);
    return turn;
  }

  /**
   * @throws AppError unavailable when its host is not there, and nothing was written or sent
   */
  return async function give(given: CommandToGive): Promise<DeviceCommand> {
    const { id, device, command, timeoutMs, requestedBy, runId, origin } = given;
    await asker.requireHost(device.host);
    const sent = await inTurn(device.id, async () => {
      const isNew = await record.begin({
        id,
        deviceId: device.id,
        kind: 'command',
        command,
        requestedBy,
        runId,
        origin,
      });
      if (!isNew)
        throw new AppError('conflict', 'The device is gone, or the same command is under way already.');
      const request = { id, deviceId: device.id, kind: 'command', command, timeoutMs } as const;
      return { answer: asker.ask(device.host, request, timeoutMs + WAY_MS) };
    });
    const answer = await sent.answer;
    const settled = answer && (await record.settle(answer).then((row) => row ?? record.get(device.id, id)));
    if (answer) asker.receipt(device.host, id);
    const known = settled ?? (await record.get(device.id, id));
    if (!known) throw new AppError('not_found', `There is no device ${device.id} any more.`);
    return known.state === 'unknown' && known.reason === null
      ? { ...known, reason: `Its host "${device.host}" has not said what became of it.` }
      : known;
  };
}

export type CommandGiver = ReturnType<typeof createCommandGiver>;
