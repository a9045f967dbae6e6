import { type Static, Type } from 'typebox';
import { Id, literals, nullable, Time } from '../wire.ts';
import type { DeviceConfiguration } from './device-configuration.ts';

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
