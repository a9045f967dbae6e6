import type { DeviceAddress } from '../../domain/myntrix/device-address.ts';
import { readMessageSettings, secretsOf } from '../../domain/myntrix/device-connection.ts';
import type { DeviceMeans, OpenDevice, OpenDeviceOptions } from './connection.ts';
import { openHttp } from './http/open.ts';
import { openModbus } from './modbus/open.ts';
import { openMqtt } from './mqtt/open.ts';
import { messageProtocolNames } from './protocols/port.ts';

/** The protocol of a device that is spoken to by messages: `openMessages` opens it, and nothing is found out. */
export function messageProtocolOf({
  transport,
}: DeviceAddress): (typeof messageProtocolNames)[number] | undefined {
  return transport === 'modbus-tcp' ? 'modbus' : messageProtocolNames.find((name) => name === transport);
}

/**
 * Opens a device whose protocol is one with its transport.
 * @throws AppError invalid for a configuration that cannot be used; unavailable when there is no connection
 */
export async function openMessages(
  { id, configuration }: { id: string; configuration: Readonly<Record<string, unknown>> },
  address: DeviceAddress,
  options: OpenDeviceOptions,
  { secrets, createOutbound }: DeviceMeans,
): Promise<OpenDevice | undefined> {
  const settings = readMessageSettings(address, configuration);
  const names = secretsOf(settings);
  const values = async () => (names.length === 0 ? {} : await secrets(id, names));
  switch (address.transport) {
    case 'mqtt':
      return openMqtt(address, settings.mqtt ?? {}, { ...options, secrets: await values() });
    case 'http':
      return openHttp(address, settings.http ?? {}, { ...options, createOutbound, secrets: await values() });
    case 'modbus-tcp':
      return openModbus(
        address,
        { settings: settings.modbus ?? {}, registers: settings.registers ?? {} },
        options,
      );
    default:
      return undefined;
  }
}
