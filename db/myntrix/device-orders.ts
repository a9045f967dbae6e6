import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import type { DeviceAction } from '../../domain/names.ts';
import { unlessViolated } from '../auth/constraints.ts';
import type { Database, Sql } from '../orm.ts';
import { rows } from '../sql.ts';
import { appendEvents } from '../system/events.ts';
import { deviceEvent } from './device-events.ts';
import { getDevice, lockDevice } from './device-rows.ts';

/** Two at the same moment: the index knows. */
const TAKEN = {
  code: 'conflict',
  message: 'Another device was connected to the same port at this moment.',
} as const;

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

export interface OrderedDevice {
  epoch: number;
  isNew: boolean;
  events: StoredEvent[];
}

/**
 * Writes what is wanted of a device. A connect of one that is connected, or is on its way, is done already, unless an
 * emergency stop left it waiting to be connected anew.
 * @throws AppError `not_found`; `conflict` when another device holds what it would be connected to
 */
export const orderDevice = (
  { em }: Pick<Database, 'em'>,
  id: string,
  action: DeviceAction,
): Promise<OrderedDevice> =>
  unlessViolated('unique', TAKEN, () =>
    em.fork().transactional(async (tx) => {
      const device = await lockDevice(tx, id);
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
      return { epoch, isNew: true, events: await appendEvents(tx, [deviceEvent(await getDevice(tx, id))]) };
    }),
  );
