import type { DeviceJobType } from '../../domain/myntrix/device-jobs.ts';
import type { Sql } from '../orm.ts';
import { rows } from '../sql.ts';
import type { NewEvent } from '../system/events.ts';
import { deviceJobEvent } from './device-job-events.ts';
import { isActive } from './device-jobs.ts';

/**
 * The device is deleted: what waits is cancelled, and what is under way is to end.
 * @returns whether its workflow has to be told
 */
export async function dropDeviceJobs(
  tx: Sql,
  deviceId: string,
): Promise<{ isUnderWay: boolean; events: NewEvent[] }> {
  const ending = await rows(
    tx,
    `update device_jobs set wanted = 'cancel', epoch = epoch + 1,
       state = case when state = 'held' then 'aborting' else state end, updated_at = now()
     where device_id = ? and ${isActive} returning id`,
    [deviceId],
  );
  const dropped = await rows<{ id: string; type: DeviceJobType }>(
    tx,
    `with gone as (
       update device_jobs set state = 'cancelled', updated_at = now()
       where device_id = ? and state = 'queued' returning id)
     update jobs j set status = 'cancelled', ended_at = now(), updated_at = now(),
       details = details || '{"reason": "the device was deleted"}'
     from gone where j.id = gone.id returning j.id, j.type`,
    [deviceId],
  );
  const events = dropped.map((job) => deviceJobEvent({ ...job, deviceId, status: 'cancelled', progress: 0 }));
  return { isUnderWay: ending.length > 0, events };
}
