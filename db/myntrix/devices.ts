import { v7 as uuidv7 } from 'uuid';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import type { DeviceConfiguration } from '../../domain/myntrix/device-configuration.ts';
import type { Device } from '../../domain/myntrix/devices.ts';
import type { DeviceAction } from '../../domain/names.ts';
import type { Database } from '../orm.ts';
import { json, type Page, pageClause, rows } from '../sql.ts';
import { appendEvents } from '../system/events.ts';
import { deviceEvent } from './device-events.ts';
import { dropDeviceJobs } from './device-job-drop.ts';
import { refuseWhileBusy } from './device-jobs.ts';
import { type OrderedDevice, orderDevice } from './device-orders.ts';
import { deviceColumns, getDevice, lockDevice } from './device-rows.ts';
import { shownDeviceStatus } from './device-status.ts';

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
  return {
    get: (id: string): Promise<Device> => getDevice(em, id),

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
        `select ${deviceColumns} from devices d where d.removed_at is null
         ${wanted.map(({ where }) => where).join(' ')} ${page.where} ${page.tail}`,
        [...wanted.map(({ param }) => param), ...page.params],
      );
    },

    create: (user: Pick<Principal, 'userId'>, device: DeviceDefinition): Promise<Device> =>
      em.fork().transactional(async (tx) => {
        const id = uuidv7();
        const { name, type, connectionString, configuration, host, claim } = device;
        await tx.execute(
          `insert into devices (id, name, type, connection_string, configuration, host, claim, desired, status,
             status_since, created_by, created_at, updated_at)
           values (?, ?, ?, ?, ?::json, ?, ?, 'disconnected', 'disconnected', now(), ?, now(), now())`,
          [id, name, type, connectionString, json(configuration), host, claim, user.userId],
        );
        return getDevice(tx, id);
      }),

    /** @throws AppError `not_found`, and what `change` does */
    update: (id: string, change: (current: Device) => DeviceDefinition): Promise<Device> =>
      em.fork().transactional(async (tx) => {
        const current = await lockDevice(tx, id);
        const { name, type, connectionString, configuration, host, claim } = change(current);
        await tx.execute(
          `update devices set name = ?, type = ?, connection_string = ?, configuration = ?::json, host = ?, claim = ?,
             updated_at = now(), version = version + 1 where id = ?`,
          [name, type, connectionString, json(configuration), host, claim, id],
        );
        return getDevice(tx, id);
      }),

    /** @throws AppError `not_found`; `conflict` when another device holds what it would be connected to */
    order: (id: string, action: DeviceAction): Promise<OrderedDevice> => orderDevice({ em }, id, action),

    /**
     * From now on nobody finds it; its workflow closes the connection and deletes the row.
     * @throws AppError `not_found`; `conflict` for one that is connected, and in the middle of a job
     */
    remove: (id: string): Promise<{ epoch: number; hasJob: boolean; events: StoredEvent[] }> =>
      em.fork().transactional(async (tx) => {
        const device = await lockDevice(tx, id);
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
