import { v7 as uuidv7 } from 'uuid';
import type { DeviceRepository } from '../../db/myntrix/devices.ts';
import { AppError } from '../../domain/errors.ts';
import {
  COMMAND_TIMEOUT_MS,
  CommandRequest,
  DeviceCommand,
  EmergencyStop,
} from '../../domain/myntrix/device-commands.ts';
import { IdParams } from '../../domain/wire.ts';
import type { CommandGiver } from '../../drivers/devices/give-command.ts';
import { checkCommand } from '../../drivers/devices/protocols/command-text.ts';
import { ok, type Route, route } from '../http/route.ts';
import type { DeviceStop } from './device-stop.ts';
import { devicesPath as base } from './devices.ts';

export interface DeviceCommandRouteDeps {
  devices: DeviceRepository;
  give: CommandGiver;
  stop: DeviceStop;
}

/** What is sent to devices. */
export function createDeviceCommandRoutes({ devices, give, stop }: DeviceCommandRouteDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: `${base}/{id}/command`,
      access: 'myntrix:devices:execute',
      summary: 'Send a command to a device and read its answer',
      description:
        'One line, after those that others gave before, of at most 80 characters (Marlin), 126 (GRBL), 250 (`lines`), 8,192 (`raw`, Modbus) or 65,536 bytes (`json-lines`, MQTT, HTTP). It is recorded as `unknown` before it is sent, and never sent again by itself. `409` when the device is not connected.',
      params: IdParams,
      body: CommandRequest,
      errors: ['conflict'],
      answers: { 200: { description: 'how it came out', schema: DeviceCommand } },
      async handler({ user, params, body: { command, timeout_ms: timeoutMs = COMMAND_TIMEOUT_MS } }) {
        const device = await devices.look(params.id);
        checkCommand(command, device.protocol ?? undefined);
        // One that is silent is in `error` and may be connected all the same: its host knows.
        if (device.status !== 'connected' && device.status !== 'error')
          throw new AppError(
            'conflict',
            `The device "${device.name}" is ${device.status}: nothing was sent. Connect it first.`,
          );
        return ok(
          await give({
            id: uuidv7(),
            device,
            command,
            timeoutMs,
            requestedBy: user.userId,
            runId: null,
            origin: null,
          }),
        );
      },
    }),
    route({
      method: 'POST',
      path: `${base}/{id}/emergency-stop`,
      access: 'myntrix:devices:execute',
      summary: 'Stop a device at once',
      description:
        'Past everything that waits for it, with its protocol’s own stop (`M112`, GRBL’s reset) or `configuration.emergencyBytes`. Works while Temporal is down. `503`: it was not delivered; `504`: that is not known. Afterwards the device is connected to again, and nothing is sent to it by itself until it is connected anew.',
      params: IdParams,
      errors: ['timeout'],
      answers: { 200: { description: 'its bytes are with the port of the device', schema: EmergencyStop } },
      handler: async ({ user, params }) => ok(await stop(user, await devices.look(params.id))),
    }),
  ];
}
