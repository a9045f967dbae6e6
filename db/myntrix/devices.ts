import { defineEntity, p } from '@mikro-orm/postgresql';
import { v7 as uuidv7 } from 'uuid';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import type { DeviceConfiguration } from '../../domain/myntrix/device-configuration.ts';
import type { DeviceSafety } from '../../domain/myntrix/device-reports.ts';
import type { Device, HostDeviceStatus, Interrupted } from '../../domain/myntrix/devices.ts';
import type { DeviceAction } from '../../domain/names.ts';
import { unlessViolated } from '../auth/constraints.ts';
import type { Database, Sql } from '../orm.ts';
import { iso, json, type Page, pageClause, rows } from '../sql.ts';
import { appendEvents } from '../system/events.ts';
import { deviceEvent } from './device-events.ts';
import { dropDeviceJobs } from './device-job-drop.ts';
import { refuseWhileBusy } from './device-jobs.ts';
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

/** Two at the same moment: the index knows. */
const TAKEN = {
  code: 'conflict',
  message: 'Another device was connected to the same port at this moment.',
} as const;

const columns = `d.id, d.name, d.type, d.connection_string as "connectionString",
  ${shownDeviceStatus} as status, ${shownDeviceReason} as "statusReason", ${iso('d.status_since', '"statusSince"')},
  d.desired, ${iso('d.last_seen', '"lastSeen"')}, d.protocol, d.firmware_name as "firmwareName",
  d.firmware_version as "firmwareVersion", d.configuration, d.host, d.safety,
  d.emergency_note as "emergencyNote", d.interrupted, d.mocked,
  ${iso('d.created_at', '"createdAt"')}, ${iso('d.updated_at', '"updatedAt"')}`;

export interface DeviceFilter extends Page {
  status?: string;
  host?: string;
}

export interface DeviceDefinition {
  name: string;
  type: string;
  connectionString: string;
  configuration: DeviceConfiguration;
  host: string;
  claim: string | null;
}

const CANCEL_FIRST = 'cancel it first, so that its safe sequence is sent; nobody could afterwards';
export type LookedAt = Pick<Device, 'id' | 'name' | 'host' | 'status' | 'desired' | 'protocol'>;

export type DeviceRepository = ReturnType<typeof createDeviceRepository>;

/** Devices belong to the installation: who may read devices reads all of them. */
export function createDeviceRepository({ em }: Pick<Database, 'em'>) {
  async function get(id: string, sql: Sql = em): Promise<Device> {
    const [device] = await rows<Device>(
      sql,
      `select ${columns} from devices d where d.id = ? and d.removed_at is null`,
      [id],
    );
    if (!device) throw new AppError('not_found', `There is no device ${id}.`);
    return device;
  }

  /** @throws AppError `not_found` */
  async function locked(tx: Sql, id: string): Promise<Device & { epoch: number; claim: string | null }> {
    const [row] = await rows<{ epoch: string; claim: string | null }>(
      tx,
      'select epoch, claim from devices where id = ? and removed_at is null for update',
      [id],
    );
    return { ...(await get(id, tx)), epoch: Number(row?.epoch), claim: row?.claim ?? null };
  }

  /** @throws AppError `conflict` */
  async function refuseTaken(tx: Sql, id: string, claim: string | null, connectionString: string) {
    if (claim === null) return;
    const [other] = await rows<{ id: string; name: string; host: string }>(
      tx,
      `select id, name, host from devices where claim = ? and id <> ?
         and (desired = 'connected' or status in ('connecting', 'connected')) limit 1`,
      [claim, id],
    );
    if (other)
      throw new AppError(
        'conflict',
        `${connectionString} is held for the device "${other.name}" (${other.id}) on host "${other.host}": disconnect that one first.`,
      );
  }

  return {
    get: (id: string): Promise<Device> => get(id),

    /** What an order or a command has to know, in one read. @throws AppError `not_found` */
    async look(id: string): Promise<LookedAt> {
      const [found] = await rows<LookedAt>(
        em,
        `select d.id, d.name, d.host, ${shownDeviceStatus} as status, d.desired, d.protocol
         from devices d where d.id = ? and d.removed_at is null`,
        [id],
      );
      if (!found) throw new AppError('not_found', `There is no device ${id}.`);
      return found;
    },

    async list(filter: DeviceFilter): Promise<Device[]> {
      const page = pageClause(filter, 'd.id');
      const wanted = [
        ...(filter.status === undefined
          ? []
          : [{ where: `and ${shownDeviceStatus} = ?`, param: filter.status }]),
        ...(filter.host === undefined ? [] : [{ where: 'and d.host = ?', param: filter.host }]),
      ];
      return rows<Device>(
        em,
        `select ${columns} from devices d where d.removed_at is null
         ${wanted.map(({ where }) => where).join(' ')} ${page.where} ${page.tail}`,
        [...wanted.map(({ param }) => param), ...page.params],
      );
    },

    async create(user: Pick<Principal, 'userId'>, device: DeviceDefinition): Promise<Device> {
      const id = uuidv7();
      await em.execute(
        `insert into devices (id, name, type, connection_string, configuration, host, claim, desired, status,
           status_since, created_by, created_at, updated_at)
         values (?, ?, ?, ?, ?::json, ?, ?, 'disconnected', 'disconnected', now(), ?, now(), now())`,
        [
          id,
          device.name,
          device.type,
          device.connectionString,
          json(device.configuration),
          device.host,
          device.claim,
          user.userId,
        ],
      );
      return get(id);
    },

    /** @throws AppError `not_found`, and what `change` does */
    update: (id: string, change: (current: Device) => DeviceDefinition): Promise<Device> =>
      em.fork().transactional(async (tx) => {
        const current = await locked(tx, id);
        const { name, type, connectionString, configuration, host, claim } = change(current);
        await tx.execute(
          `update devices set name = ?, type = ?, connection_string = ?, configuration = ?::json, host = ?, claim = ?,
             updated_at = now(), version = version + 1 where id = ?`,
          [name, type, connectionString, json(configuration), host, claim, id],
        );
        return get(id, tx);
      }),

    /**
     * Writes what is wanted of a device. A connect of one that is connected, or is on its way, is done already, unless
     * an emergency stop left it waiting to be connected anew.
     * @throws AppError `not_found`; `conflict` when another device holds what it would be connected to
     */
    order: (
      id: string,
      action: DeviceAction,
    ): Promise<{ epoch: number; isNew: boolean; events: StoredEvent[] }> =>
      unlessViolated('unique', TAKEN, () =>
        em.fork().transactional(async (tx) => {
          const device = await locked(tx, id);
          const desired = action === 'connect' ? 'connected' : 'disconnected';
          // One that failed is tried again at once, or is disconnected for good.
          const isAnew = device.status === 'error' || (action === 'connect' && device.emergencyNote !== null);
          if (device.desired === desired && !isAnew) return { epoch: device.epoch, isNew: false, events: [] };
          if (action === 'connect') await refuseTaken(tx, id, device.claim, device.connectionString);
          const epoch = device.epoch + 1;
          await tx.execute(
            action === 'connect'
              ? `update devices set desired = 'connected', epoch = ?, status = 'connecting', status_reason = null,
                   status_since = now(), emergency_note = null, reported_generation = null, updated_at = now()
                 where id = ?`
              : "update devices set desired = 'disconnected', epoch = ?, updated_at = now() where id = ?",
            [epoch, id],
          );
          return { epoch, isNew: true, events: await appendEvents(tx, [deviceEvent(await get(id, tx))]) };
        }),
      ),

    /**
     * From now on nobody finds it; its workflow closes the connection and deletes the row.
     * @throws AppError `not_found`; `conflict` for one that is connected, and in the middle of a job
     */
    remove: (id: string): Promise<{ epoch: number; hasJob: boolean; events: StoredEvent[] }> =>
      em.fork().transactional(async (tx) => {
        const device = await locked(tx, id);
        if (device.status === 'connected') await refuseWhileBusy(tx, id, device.name, CANCEL_FIRST);
        const epoch = device.epoch + 1;
        await tx.execute(
          `update devices set removed_at = now(), desired = 'disconnected', epoch = ?, updated_at = now() where id = ?`,
          [epoch, id],
        );
        const dropped = await dropDeviceJobs(tx, id);
        const deleted = deviceEvent({ ...device, desired: 'disconnected' }, 'deleted');
        const events = await appendEvents(tx, [...dropped.events, deleted]);
        return { epoch, hasJob: dropped.isUnderWay, events };
      }),
  };
}
