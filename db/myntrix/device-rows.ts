import { defineEntity, p } from '@mikro-orm/postgresql';
import { AppError } from '../../domain/errors.ts';
import type { DeviceConfiguration } from '../../domain/myntrix/device-configuration.ts';
import type { DeviceSafety } from '../../domain/myntrix/device-reports.ts';
import type { Device, HostDeviceStatus, Interrupted } from '../../domain/myntrix/devices.ts';
import type { Sql } from '../orm.ts';
import { iso, rows } from '../sql.ts';
import { shownDeviceReason, shownDeviceStatus } from './device-status.ts';

export const DeviceEntity = defineEntity({
  name: 'Device',
  tableName: 'devices',
  properties: {
    id: p.uuid().primary(),
    name: p.text(),
    type: p.text(),
    connection_string: p.text(),
    configuration: p.json().$type<DeviceConfiguration>().columnType('json'),
    host: p.text(),
    /** What only one device at a time can be connected to. */
    claim: p.text().nullable(),
    desired: p.text().$type<Device['desired']>(),
    /** Of the newest order, and of the newest that its workflow took. */
    epoch: p.bigint('number').default(0),
    taken: p.bigint('number').default(0),
    status: p.text().$type<HostDeviceStatus>(),
    status_reason: p.text().nullable(),
    status_since: p.datetime(3),
    last_seen: p.datetime(3).nullable(),
    protocol: p.text().nullable(),
    firmware_name: p.text().nullable(),
    firmware_version: p.text().nullable(),
    mocked: p.boolean().default(false),
    safety: p.json().$type<DeviceSafety>().nullable(),
    emergency_note: p.text().nullable(),
    interrupted: p.json().$type<Interrupted>().nullable(),
    /** Of the host's lease; null until the host has said something of the newest order. */
    reported_generation: p.bigint('number').nullable(),
    reported_seq: p.bigint('number').default(-1),
    created_by: p.uuid().nullable(),
    created_at: p.datetime(3),
    updated_at: p.datetime(3),
    version: p.integer().default(1),
    removed_at: p.datetime(3).nullable(),
  },
});

/** Of `devices d`, as a `Device` has them. */
export const deviceColumns = `d.id, d.name, d.type, d.connection_string as "connectionString",
  ${shownDeviceStatus} as status, ${shownDeviceReason} as "statusReason", ${iso('d.status_since', '"statusSince"')},
  d.desired, ${iso('d.last_seen', '"lastSeen"')}, d.protocol, d.firmware_name as "firmwareName",
  d.firmware_version as "firmwareVersion", d.configuration, d.host, d.safety,
  d.emergency_note as "emergencyNote", d.interrupted, d.mocked,
  ${iso('d.created_at', '"createdAt"')}, ${iso('d.updated_at', '"updatedAt"')}`;

/** @throws AppError `not_found` */
export async function getDevice(sql: Sql, id: string): Promise<Device> {
  const [device] = await rows<Device>(
    sql,
    `select ${deviceColumns} from devices d where d.id = ? and d.removed_at is null`,
    [id],
  );
  if (!device) throw new AppError('not_found', `There is no device ${id}.`);
  return device;
}

/** Its row is locked until the transaction's end. */
export interface LockedDevice extends Device {
  epoch: number;
  claim: string | null;
}

/** @throws AppError `not_found` */
export async function lockDevice(tx: Sql, id: string): Promise<LockedDevice> {
  const [row] = await rows<{ epoch: string; claim: string | null }>(
    tx,
    'select epoch, claim from devices where id = ? and removed_at is null for update',
    [id],
  );
  return { ...(await getDevice(tx, id)), epoch: Number(row?.epoch), claim: row?.claim ?? null };
}
