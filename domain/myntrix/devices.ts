import { type Static, Type } from 'typebox';
import { HostName } from '../system/hosts.ts';
import { Id, literals, nullable, Time } from '../wire.ts';
import { Flasher } from './flashers.ts';
import { placed, Visual } from './scene-fields.ts';

export const deviceStatuses = ['disconnected', 'connecting', 'connected', 'error', 'unknown'] as const;
export type DeviceStatus = (typeof deviceStatuses)[number];

/** What a host can know of its device; that the host itself is lost makes it `unknown`. */
export type HostDeviceStatus = Exclude<DeviceStatus, 'unknown'>;

export const commandStates = ['acknowledged', 'failed', 'unknown'] as const;
export type CommandState = (typeof commandStates)[number];

const DAY_MS = 86_400_000;

/** Of any protocol; each has its own below that. */
export const COMMAND_LIMIT = 65_536;
/** Of one that is part of a configuration. */
const CONFIGURED_COMMAND_LIMIT = 1_000;
export const COMMAND_TIMEOUT_MS = 10_000;
export const MAX_COMMAND_TIMEOUT_MS = 600_000;
/** Commands of one device that are under way or wait; one more is refused. */
export const DEVICE_QUEUE = 200;

const closed = { additionalProperties: false } as const;

const commandText = (maxLength: number) =>
  Type.String({
    minLength: 1,
    maxLength,
    description:
      'one line, without CR, LF and other control characters; each protocol has a limit to its length',
    examples: ['M105'],
  });
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

/** Whether a device goes safe by itself when its host is lost. */
export const DeviceSafety = Type.Object(
  {
    onHostLoss: Type.Unsafe<'configured' | 'refused' | 'none'>(
      Type.Enum(['configured', 'refused', 'none'], {
        description:
          '`configured`: the firmware took what `hostLossSafety` asks for; `refused`: it did not; `none`: heaters and motors stay as they are when the host is lost',
      }),
    ),
    detail: Type.String({ maxLength: 2_000 }),
  },
  { $id: 'DeviceSafety' },
);
export type DeviceSafety = Static<typeof DeviceSafety>;

/** What was under way when the connection or the host was lost last. */
const Interrupted = Type.Object({
  at: Time,
  reason: Type.String({ maxLength: 2_000 }),
  commands: Type.Array(Type.Object({ id: Id, command: Type.String() }), { maxItems: 20 }),
});
export type Interrupted = Static<typeof Interrupted>;

/** What a host says of one of its devices. */
export const DeviceReport = Type.Object({
  id: Id,
  /** Of the order that the host follows. */
  epoch: Type.Integer({ minimum: 0 }),
  /** A later one has a higher number within a life of the host. */
  seq: Type.Integer({ minimum: 0 }),
  status: literals(['disconnected', 'connecting', 'connected', 'error'] as const),
  reason: nullable(Type.String({ maxLength: 2_000 })),
  lastSeen: nullable(Time),
  protocol: nullable(Type.String({ maxLength: 50 })),
  firmwareName: nullable(Type.String({ maxLength: 200 })),
  firmwareVersion: nullable(Type.String({ maxLength: 200 })),
  mocked: Type.Boolean(),
  safety: nullable(DeviceSafety),
  emergencyNote: nullable(Type.String({ maxLength: 2_000 })),
});
export type DeviceReport = Static<typeof DeviceReport>;

export const MESSAGE_DEVICES = 50;

/** What a host says of some of its devices over the bus. */
export const DeviceReports = Type.Object({
  /** Of the host's lease: a report of an earlier life changes nothing. */
  generation: Type.Integer({ minimum: 0 }),
  /** Of the host's own, in milliseconds since it started: what it is asked says until when by it. */
  clock: Type.Number({ minimum: 0 }),
  reports: Type.Array(DeviceReport, { maxItems: MESSAGE_DEVICES }),
});
export type DeviceReports = Static<typeof DeviceReports>;

/** What a host is told to hold. */
export interface DeviceOrder {
  id: string;
  name: string;
  epoch: number;
  type: string;
  connectionString: string;
  configuration: DeviceConfiguration;
}

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

const Name = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: '^[^\\u0000-\\u001f]+$',
  examples: ['printer'],
});
const Label = Type.String({ maxLength: 100, pattern: '^[^\\u0000-\\u001f]*$', examples: ['marlin'] });
const ConnectionString = Type.String({
  minLength: 1,
  maxLength: 1_000,
  examples: ['serial:///dev/ttyUSB0?baud=115200', 'tcp://192.168.1.20:23', 'mock://printer'],
});

export const Device = Type.Object(
  {
    id: Id,
    name: Name,
    type: Type.String({ description: 'a free label; one that names a protocol chooses it' }),
    connectionString: ConnectionString,
    status: Type.Unsafe<DeviceStatus>(
      Type.Enum([...deviceStatuses], { description: '`unknown` while its host is lost' }),
    ),
    statusReason: nullable(Type.String()),
    statusSince: Time,
    desired: literals(['connected', 'disconnected'] as const),
    lastSeen: nullable(
      Type.String({ format: 'date-time', description: 'when the device said something last' }),
    ),
    protocol: nullable(Type.String({ description: 'that is spoken with it' })),
    firmwareName: nullable(Type.String()),
    firmwareVersion: nullable(Type.String()),
    configuration: DeviceConfiguration,
    host: Type.String(),
    safety: nullable(DeviceSafety),
    emergencyNote: nullable(
      Type.String({ description: 'of an emergency stop, until the device is connected anew' }),
    ),
    interrupted: nullable(Interrupted),
    mocked: Type.Boolean({ description: 'nothing real is at the other end' }),
    createdAt: Time,
    updatedAt: Time,
  },
  { $id: 'Device' },
);
export type Device = Static<typeof Device>;

export const NewDevice = Type.Object(
  {
    name: Name,
    type: Type.Optional(Label),
    connectionString: ConnectionString,
    configuration: Type.Optional(DeviceConfiguration),
    host: Type.Optional(HostName),
  },
  {
    additionalProperties: false,
    examples: [{ name: 'printer', type: 'marlin', connectionString: 'serial:///dev/ttyUSB0?baud=115200' }],
  },
);
export type NewDevice = Static<typeof NewDevice>;

/** Read-only fields count when they are unchanged. */
export const DeviceUpdate = Type.Partial(
  Type.Object({ ...Device.properties, type: Label }, { additionalProperties: false }),
);
export type DeviceUpdate = Static<typeof DeviceUpdate>;

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

/** A device by the names that older dashboards know. */
export const Hardware = Type.Object(
  {
    id: Id,
    name: Name,
    type: Type.String(),
    status: literals(deviceStatuses),
    statusReason: nullable(Type.String()),
    lastSeen: nullable(Time),
    firmwareVersion: nullable(Type.String()),
  },
  { $id: 'Hardware' },
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
