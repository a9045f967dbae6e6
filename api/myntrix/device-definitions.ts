import type { DeviceDefinition } from '../../db/myntrix/devices.ts';
import { AppError } from '../../domain/errors.ts';
import { type DeviceAddress, parseDeviceAddress } from '../../domain/myntrix/device-address.ts';
import { claimOf } from '../../domain/myntrix/device-claims.ts';
import type { DeviceConfiguration } from '../../domain/myntrix/device-configuration.ts';
import { readMessageSettings } from '../../domain/myntrix/device-connection.ts';
import { messageProtocolOf } from '../../drivers/devices/open-messages.ts';
import { checkCommand } from '../../drivers/devices/protocols/command-text.ts';
import { namedProtocol } from '../../drivers/devices/sessions/connect.ts';

/**
 * What the schema alone cannot say of a device.
 * @returns it with what only one device at a time can be connected to
 * @throws AppError invalid, at the field that is wrong
 */
export function checkedDefinition(device: Omit<DeviceDefinition, 'claim'>): DeviceDefinition {
  const { connectionString, configuration, host } = device;
  const address = at('/connectionString', () => {
    const parsed = parseDeviceAddress(connectionString, configuration.port);
    requireDevicePath(parsed);
    return parsed;
  });
  const named = at('/configuration/protocol', () => namedProtocol(device));
  at('/configuration', () => readMessageSettings(address, configuration));
  const protocol = messageProtocolOf(address) ?? named;
  for (const [path, commands] of Object.entries(configuredCommands(configuration)))
    for (const [index, command] of (commands ?? []).entries())
      at(`/configuration/${path}/${index}`, () => checkCommand(command, protocol));
  return { ...device, claim: claimOf(address, host) };
}

/** What is sent without anybody asking for it at that moment. */
const configuredCommands = ({ onConnect, hostLossSafety, gcode }: DeviceConfiguration) => ({
  onConnect,
  'hostLossSafety/commands': hostLossSafety?.commands,
  'gcode/pauseSequence': gcode?.pauseSequence,
  'gcode/resumeSequence': gcode?.resumeSequence,
  'gcode/cancelSequence': gcode?.cancelSequence,
});

/** A file that is no device could be changed by opening it as one. */
function requireDevicePath(address: DeviceAddress): void {
  if (address.transport !== 'serial' || address.path === undefined) return;
  if (/^\/dev\/[^\0]+$/.test(address.path) || /^(\\\\\.\\)?COM\d{1,3}$/i.test(address.path)) return;
  throw new AppError(
    'invalid',
    `the serial port ${JSON.stringify(address.path)} is none: right would be a path below /dev/, or COM1`,
  );
}

function at<T>(path: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new AppError(error.code, error.message, { errors: [{ path, message: error.message }] });
  }
}
