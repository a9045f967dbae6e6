import { type Static, Type } from 'typebox';
import { HostName } from '../system/hosts.ts';
import { commandText } from './device-commands.ts';
import { Flasher } from './flashers.ts';
import { placed, Visual } from './scene-fields.ts';

const DAY_MS = 86_400_000;

/** Of one that is part of a configuration. */
const CONFIGURED_COMMAND_LIMIT = 1_000;
const closed = { additionalProperties: false } as const;

const CommandText = commandText(CONFIGURED_COMMAND_LIMIT);

/** How a device is spoken to. Fields that are not named here are kept, and mean nothing. */
export const DeviceConfiguration = Type.Object(
  {
    protocol: Type.Optional(
      Type.String({
        maxLength: 50,
        description: 'else a `type` of that name counts, else it is found out',
        examples: ['marlin'],
      }),
    ),
    port: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 65_535,
        description: 'of a connectionString that is an address alone',
      }),
    ),
    host: Type.Optional(HostName),
    connectTimeoutMs: Type.Optional(
      Type.Integer({
        minimum: 100,
        maximum: 120_000,
        description: 'until somebody has answered; 15,000 unless given',
      }),
    ),
    reconnect: Type.Optional(
      Type.Object(
        {
          initialMs: Type.Optional(
            Type.Integer({ minimum: 10, maximum: DAY_MS, description: '500 unless given' }),
          ),
          maxMs: Type.Optional(
            Type.Integer({ minimum: 10, maximum: DAY_MS, description: '30,000 unless given' }),
          ),
          factor: Type.Optional(Type.Number({ minimum: 1, maximum: 100, description: '2 unless given' })),
        },
        { ...closed, description: 'pauses between attempts' },
      ),
    ),
    onConnect: Type.Optional(
      Type.Array(CommandText, {
        maxItems: 100,
        description: 'sent after each connect, but not after an emergency stop until it is connected anew',
      }),
    ),
    emergencyBytes: Type.Optional(
      Type.String({
        pattern: '^([0-9a-fA-F]{2}){1,256}$',
        description: 'what an emergency stop sends instead of the protocol’s own, as hexadecimal digits',
        examples: ['18'],
      }),
    ),
    reportSeconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 3_600,
        description:
          'Marlin tells its temperatures (M155) and where its tool is (M154) so often by itself; 1 unless given, 0 never',
      }),
    ),
    gcode: Type.Optional(
      Type.Object(
        {
          pauseSequence: Type.Optional(Type.Array(CommandText, { maxItems: 50 })),
          resumeSequence: Type.Optional(Type.Array(CommandText, { maxItems: 50 })),
          cancelSequence: Type.Optional(
            Type.Array(CommandText, {
              maxItems: 50,
              description:
                'of a program that is cancelled; heaters, fan, spindle and motors off unless given',
            }),
          ),
        },
        { ...closed, description: 'what is sent when a program is paused, goes on, or is cancelled' },
      ),
    ),
    firmware: Type.Optional(Flasher),
    hostLossSafety: Type.Optional(
      Type.Object(
        {
          afterSeconds: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: 86_400,
              description: 'Marlin turns heaters and motors off when nothing has moved for so long (M85)',
            }),
          ),
          commands: Type.Optional(
            Type.Array(CommandText, {
              maxItems: 20,
              description: 'that make this firmware safe when nobody talks to it, sent with each connect',
            }),
          ),
        },
        { ...closed, description: 'what the device does by itself when its host is lost' },
      ),
    ),
    ...placed,
    visual: Type.Optional(Visual),
  },
  {
    $id: 'DeviceConfiguration',
    additionalProperties: true,
    maxProperties: 100,
    examples: [{ protocol: 'marlin', reconnect: { initialMs: 500, maxMs: 30_000, factor: 2 } }],
  },
);
export type DeviceConfiguration = Static<typeof DeviceConfiguration>;

/** The pauses between attempts to connect, with what was left out. */
export const reconnectOf = ({ reconnect }: DeviceConfiguration) => ({
  initialMs: 500,
  maxMs: 30_000,
  factor: 2,
  ...reconnect,
});
