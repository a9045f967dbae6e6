import { Type } from 'typebox';
import { COMMAND_LIMIT, COMMAND_TIMEOUT_MS, MAX_COMMAND_TIMEOUT_MS } from '../../myntrix/device-commands.ts';
import { type DeviceAction, deviceUpdates } from '../../names.ts';
import type { Verb } from '../verbs.ts';

const device = Type.String({
  minLength: 1,
  maxLength: 200,
  description: 'its id, or its name when only one has it',
});

const said: Record<DeviceAction, string> = {
  connect: 'Connects a device and waits until it is connected',
  disconnect: 'Disconnects a device and waits until its connection is closed',
};

export const deviceOrderArguments = Type.Object(
  { device },
  { additionalProperties: false, examples: [{ device: 'printer' }] },
);

export const deviceCommandArguments = Type.Object(
  {
    device,
    command: Type.String({ minLength: 1, maxLength: COMMAND_LIMIT, description: 'one line' }),
    timeout_ms: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MAX_COMMAND_TIMEOUT_MS,
        description: `that the device has to answer; ${COMMAND_TIMEOUT_MS} unless given`,
      }),
    ),
  },
  { additionalProperties: false, examples: [{ device: 'printer', command: 'M105' }] },
);

const orders = Object.keys(deviceUpdates) as DeviceAction[]; // its keys are the actions

/** `device.connect`, `device.disconnect` and `device.command`. */
export const deviceVerbs: Verb[] = [
  ...orders.map(
    (action): Verb => ({
      name: `device.${action}`,
      summary: said[action],
      with: deviceOrderArguments,
      // A connect of one that is connected does nothing.
      idempotent: true,
      // It waits for a host.
      queue: 'outbound',
    }),
  ),
  {
    name: 'device.command',
    summary: 'Sends a command to a device and puts out its answer',
    with: deviceCommandArguments,
    // Its id is derived from run and step: a repeat finds what was recorded, and sends nothing again.
    idempotent: true,
    queue: 'outbound',
  },
];
