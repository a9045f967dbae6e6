import { Type } from 'typebox';
import type { Steered } from '../../db/myntrix/device-job-steering.ts';
import type { DeviceJobRepository } from '../../db/myntrix/device-jobs.ts';
import type { DeviceRepository } from '../../db/myntrix/devices.ts';
import type { JobRepository } from '../../db/myntrix/jobs.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import { Decision, deviceJobTypes, QueuedJob, QueueOrder } from '../../domain/myntrix/device-jobs.ts';
import { JobStarted } from '../../domain/myntrix/jobs.ts';
import { IdParams } from '../../domain/wire.ts';
import { accepted, ok, type Route, route } from '../http/route.ts';
import type { Temporal } from '../temporal/client.ts';

const jobPath = '/api/myntrix/jobs/{id}';
const queuePath = '/api/myntrix/devices/{id}/jobs';

export interface DeviceJobDeps {
  devices: Pick<DeviceRepository, 'get'>;
  jobs: Pick<JobRepository, 'get'>;
  deviceJobs: DeviceJobRepository;
  temporal: Pick<Temporal, 'ensureUp'>;
  /** Wakes the workflow of the device's jobs. */
  tell(deviceId: string): Promise<void>;
  publish(events: readonly StoredEvent[]): void;
}

/** Ends jobs of devices, for `POST /api/myntrix/jobs/{id}/cancel`. */
export const createDeviceJobCancel =
  ({ deviceJobs, tell, publish }: Pick<DeviceJobDeps, 'deviceJobs' | 'tell' | 'publish'>) =>
  async (id: string): Promise<void> => {
    const { deviceId, isNew, events } = await deviceJobs.cancel(id);
    publish(events);
    if (isNew) await tell(deviceId);
  };

/** What people do with jobs of devices: pause, resume, decide, order. */
export function createDeviceJobRoutes(deps: DeviceJobDeps): Route[] {
  const { devices, jobs, deviceJobs, temporal, tell, publish } = deps;

  /** @throws AppError `not_found` for what is not theirs, `conflict` for a job of another kind */
  async function steered(user: Principal, id: string, work: () => Promise<Steered>) {
    const job = await jobs.get(user, id);
    if (!deviceJobTypes.some((type) => type === job.type))
      throw new AppError('conflict', `A job of type "${job.type}" is no device’s: this is for theirs.`);
    await temporal.ensureUp();
    const { deviceId, status, isNew, events } = await work();
    publish(events);
    if (isNew) await tell(deviceId);
    return accepted({ job_id: id, status }, `/api/myntrix/jobs/${id}`);
  }
  const answers = { 202: { description: 'its device’s host is told', schema: JobStarted } };

  return [
    route({
      method: 'POST',
      path: `${jobPath}/pause`,
      access: 'myntrix:devices:execute',
      summary: 'Pause a device’s program',
      description:
        'Nothing more of it is sent; once the device has done what it was sent, it gets `gcode.pauseSequence` of its configuration.',
      params: IdParams,
      errors: ['conflict'],
      answers,
      handler: ({ user, params: { id } }) => steered(user, id, () => deviceJobs.steer(id, 'pause')),
    }),
    route({
      method: 'POST',
      path: `${jobPath}/resume`,
      access: 'myntrix:devices:execute',
      summary: 'Let a paused program go on',
      description: 'After `gcode.resumeSequence` of the device’s configuration.',
      params: IdParams,
      errors: ['conflict'],
      answers,
      handler: ({ user, params: { id } }) => steered(user, id, () => deviceJobs.steer(id, 'run')),
    }),
    route({
      method: 'POST',
      path: `${jobPath}/decision`,
      access: 'myntrix:devices:execute',
      summary: 'Decide what becomes of a program that was interrupted',
      description:
        'Of a job that waits because its host, its connection or its device was lost in the middle. `details` say what was acknowledged last and where the program had brought the machine; what was sent after that may have been done. It goes on from the line that you say, after the commands that you say, or is cancelled with its safe sequence.',
      params: IdParams,
      body: Decision,
      errors: ['conflict'],
      answers,
      handler: ({ user, params: { id }, body }) =>
        steered(user, id, () => deviceJobs.decide(id, body, user.username)),
    }),
    route({
      method: 'GET',
      path: queuePath,
      access: 'myntrix:devices:read',
      summary: 'List what a device does and what waits for it, in its order',
      params: IdParams,
      answers: { 200: { description: 'what is under way comes first', schema: Type.Array(QueuedJob) } },
      async handler({ params }) {
        await devices.get(params.id);
        return ok(await deviceJobs.queue(params.id));
      },
    }),
    route({
      method: 'PUT',
      path: queuePath,
      access: 'myntrix:devices:execute',
      summary: 'Change the order of what waits for a device',
      params: IdParams,
      body: QueueOrder,
      answers: { 200: { description: 'the queue as it is now', schema: Type.Array(QueuedJob) } },
      async handler({ params, body }) {
        await devices.get(params.id);
        await deviceJobs.reorder(params.id, body.order);
        return ok(await deviceJobs.queue(params.id));
      },
    }),
  ];
}
