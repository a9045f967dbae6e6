import { AppError } from '../../../domain/errors.ts';
import type { ModbusAddress } from '../../../domain/myntrix/device-address.ts';
import { type ModbusSettings, type Registers, unitOf } from '../../../domain/myntrix/device-modbus.ts';
import type { OpenDevice, OpenDeviceOptions } from '../connection.ts';
import { withoutBytes } from '../no-bytes.ts';
import { type Called, createCalls } from '../protocols/calls.ts';
import { checkCommand } from '../protocols/command-text.ts';
import { blocksOf } from './blocks.ts';
import { connectModbus } from './client.ts';
import { readModbusCommand } from './commands.ts';
import { calledWith } from './exceptions.ts';
import { startPolling } from './poll.ts';
import { readValues } from './read.ts';

const REQUEST_MS = 3_000;

/** A device that has registers (Modbus over TCP). @throws AppError unavailable */
export async function openModbus(
  address: ModbusAddress,
  { settings, registers }: { settings: ModbusSettings; registers: Registers },
  options: OpenDeviceOptions,
): Promise<OpenDevice> {
  const unit = unitOf(address.path, settings);
  if (typeof unit === 'string') throw new AppError('invalid', unit);
  const emergency =
    settings.emergency === undefined ? undefined : readModbusCommand(settings.emergency, registers);
  const client = await connectModbus(address, {
    signal: options.signal,
    timeoutMs: options.timeoutMs,
    unit,
    requestMs: settings.timeoutMs ?? REQUEST_MS,
    onAnswer: options.onHeard,
  });
  const ending = new AbortController();
  void client.ended.then(() => ending.abort());

  async function perform(text: string): Promise<Called> {
    const command = readModbusCommand(text, registers);
    try {
      if (command.kind === 'write') {
        await client.write(command.register, command.words);
        return { state: 'acknowledged', lines: [] };
      }
      const values = new Map<string, number>();
      for (const block of blocksOf(registers, command.names))
        for (const { name, value } of await readValues(client, registers, block)) values.set(name, value);
      return { state: 'acknowledged', lines: command.names.map((name) => `${name}=${values.get(name)}`) };
    } catch (error) {
      return calledWith(error, command.kind === 'write');
    }
  }

  const calls = createCalls({
    name: 'modbus',
    ended: client.ended,
    check(text) {
      checkCommand(text, 'modbus');
      readModbusCommand(text, registers);
    },
    perform,
    emergency:
      emergency?.kind !== 'write'
        ? undefined
        : () =>
            client.write(emergency.register, emergency.words, true).catch((error: unknown) => {
              throw new AppError(
                'upstream_failed',
                `the emergency stop was sent; ${calledWith(error, true).reason}`,
              );
            }),
    async identify() {
      const [vendor, product, version] = (await client.whoIsThere()) ?? [];
      return {
        ...(product === undefined
          ? {}
          : { firmwareName: [vendor, product].filter(Boolean).join(' ').slice(0, 200) }),
        ...(version === undefined ? {} : { firmwareVersion: version.slice(0, 200) }),
        details: {},
      };
    },
  });
  startPolling({ client, registers, emit: calls.emit, isBusy: calls.isBusy, signal: ending.signal });
  return {
    protocol: calls.protocol,
    transport: withoutBytes(address, client.ended, () => client.end({ kind: 'closed' })),
  };
}
