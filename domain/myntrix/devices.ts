import { type Static, Type } from 'typebox';
import { HostName } from '../system/hosts.ts';
import { Id, literals, nullable, Time } from '../wire.ts';
import { DeviceConfiguration } from './device-configuration.ts';
import { DeviceSafety } from './device-reports.ts';

export const deviceStatuses = ['disconnected', 'connecting', 'connected', 'error', 'unknown'] as const;
export type DeviceStatus = (typeof deviceStatuses)[number];

/** What a host can know of its device; that the host itself is lost makes it `unknown`. */
export type HostDeviceStatus = Exclude<DeviceStatus, 'unknown'>;

/** What was under way when the connection or the host was lost last. */
const Interrupted = Type.Object({
  at: Time,
  reason: Type.String({ maxLength: 2_000 }),
  commands: Type.Array(Type.Object({ id: Id, command: Type.String() }), { maxItems: 20 }),
});
export type Interrupted = Static<typeof Interrupted>;

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
