import type { Flasher } from '../../domain/myntrix/flashers.ts';
import type { Json } from '../../domain/wire.ts';
import type { Database } from '../orm.ts';
import { rows } from '../sql.ts';

export interface WaitedJob {
  status: string;
  reason: string | null;
  result: Json;
  deviceId: string;
  uploadId: string;
}

/** What steps of runs know of the jobs that they wait for. */
export const createDeviceJobSteps = ({ em }: Pick<Database, 'em'>) => ({
  async look(id: string): Promise<WaitedJob | undefined> {
    const [found] = await rows<WaitedJob>(
      em,
      `select j.status, j.details->>'reason' as reason, j.details->'result' as result,
           d.device_id as "deviceId", d.upload_id as "uploadId"
         from device_jobs d join jobs j on j.id = d.id where d.id = ?`,
      [id],
    );
    return found;
  },

  /** How the device's firmware is written. */
  async flasherOf(deviceId: string): Promise<Flasher | undefined> {
    const [found] = await rows<{ firmware: Flasher | null }>(
      em,
      "select configuration->'firmware' as firmware from devices where id = ?",
      [deviceId],
    );
    return found?.firmware ?? undefined;
  },
});
