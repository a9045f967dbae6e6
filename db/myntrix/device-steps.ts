import { permissionsOf } from '../../domain/auth/permissions.ts';
import type { Device } from '../../domain/myntrix/devices.ts';
import { createAccountReader } from '../auth/accounts.ts';
import type { Database } from '../orm.ts';
import { rows } from '../sql.ts';
import { shownDeviceReason, shownDeviceStatus } from './device-status.ts';

export type FoundDevice = Pick<
  Device,
  'id' | 'name' | 'host' | 'status' | 'statusReason' | 'protocol' | 'firmwareVersion'
>;

const columns = `d.id, d.name, d.host, ${shownDeviceStatus} as status, ${shownDeviceReason} as "statusReason",
  d.protocol, d.firmware_version as "firmwareVersion"`;

/** What steps of runs know of devices. */
export function createDeviceSteps(database: Database) {
  const { em } = database;
  const accounts = createAccountReader(database);
  return {
    /** By id, or else by name; more than one when the name does not tell. */
    async find(device: string): Promise<FoundDevice[]> {
      const found = await rows<FoundDevice>(
        em,
        `select ${columns} from devices d where d.removed_at is null and (d.id::text = lower(?) or d.name = ?)
         order by d.id::text = lower(?) desc, d.id limit 10`,
        [device, device, device],
      );
      return found[0]?.id === device.toLowerCase() ? found.slice(0, 1) : found;
    },

    /** Nothing for a device that is deleted. */
    async look(id: string): Promise<FoundDevice | undefined> {
      const [found] = await rows<FoundDevice>(
        em,
        `select ${columns} from devices d where d.id = ? and d.removed_at is null`,
        [id],
      );
      return found;
    },

    /** Who owns the run, with what they may do now and not when it began. */
    async orderer(runId: string): Promise<{ userId: string; mayOrder: boolean } | undefined> {
      const [job] = await rows<{ owner_id: string | null }>(em, 'select owner_id from jobs where id = ?', [
        runId,
      ]);
      const owner = job?.owner_id == null ? undefined : await accounts.byUser(job.owner_id);
      return owner && { userId: owner.id, mayOrder: permissionsOf(owner).has('myntrix:devices:execute') };
    },
  };
}
