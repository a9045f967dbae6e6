import { type Static, Type } from 'typebox';
import { Id, literals, nullable, Time } from '../wire.ts';

export const commandStates = ['acknowledged', 'failed', 'unknown'] as const;
export type CommandState = (typeof commandStates)[number];

/** Of any protocol; each has its own below that. */
export const COMMAND_LIMIT = 65_536;
export const COMMAND_TIMEOUT_MS = 10_000;
export const MAX_COMMAND_TIMEOUT_MS = 600_000;
/** Commands of one device that are under way or wait; one more is refused. */
export const DEVICE_QUEUE = 200;

export const commandText = (maxLength: number) =>
  Type.String({
    minLength: 1,
    maxLength,
    description:
      'one line, without CR, LF and other control characters; each protocol has a limit to its length',
    examples: ['M105'],
  });
export const CommandRequest = Type.Object(
  {
    command: commandText(COMMAND_LIMIT),
    timeout_ms: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MAX_COMMAND_TIMEOUT_MS,
        description: `until it is answered; ${COMMAND_TIMEOUT_MS.toLocaleString('en')} unless given`,
      }),
    ),
  },
  { additionalProperties: false, examples: [{ command: 'M105' }] },
);

/** An emergency stop whose bytes are with the port of the device. */
export const EmergencyStop = Type.Object(
  {
    id: Id,
    deviceId: Id,
    delivered: Type.Literal(true),
    sentAt: Time,
    note: Type.String({ description: 'what the device does from here on' }),
  },
  { $id: 'EmergencyStop' },
);

/** A command that was given to a device, and how it came out. */
export const DeviceCommand = Type.Object(
  {
    id: Id,
    deviceId: Id,
    kind: literals(['command', 'emergency_stop'] as const),
    command: Type.String(),
    response: nullable(Type.String({ description: 'the lines that the device said to it' })),
    state: Type.Unsafe<CommandState>(
      Type.Enum([...commandStates], {
        description:
          '`acknowledged`: the device said yes; `failed`: it said no, or nothing was sent (`sentAt` is null); `unknown`: it may have been sent and no answer is known: it is never sent again by itself',
      }),
    ),
    reason: nullable(Type.String()),
    createdAt: Time,
    sentAt: nullable(Time),
    answeredAt: nullable(Time),
  },
  { $id: 'DeviceCommand' },
);
export type DeviceCommand = Static<typeof DeviceCommand>;

/** A command, or an emergency stop, on its way to a host. */
export interface DeviceRequest {
  /** Of the recorded command; it is carried out once. */
  id: string;
  deviceId: string;
  kind: 'command' | 'emergency_stop';
  command: string;
  timeoutMs: number;
  /** By the host's clock: what comes later than that is not carried out. */
  notAfter: number;
}

/** What became of it, as its host knows. */
export const DeviceAnswer = Type.Object({
  id: Id,
  deviceId: Id,
  kind: literals(['command', 'emergency_stop'] as const),
  state: literals(commandStates),
  /** Whether bytes went to the device. */
  isSent: Type.Boolean(),
  response: nullable(Type.String({ maxLength: 65_536 })),
  reason: nullable(Type.String({ maxLength: 2_000 })),
  sentAt: nullable(Time),
  answeredAt: nullable(Time),
  /** Nobody has said that it is recorded. */
  isAgain: Type.Boolean(),
});
export type DeviceAnswer = Static<typeof DeviceAnswer>;
