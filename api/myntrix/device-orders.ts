import { setTimeout as delay } from 'node:timers/promises';
import type { DeviceRepository } from '../../db/myntrix/devices.ts';
import type { StoredEvent } from '../../domain/events.ts';
import type { DeviceAction } from '../../domain/names.ts';
import { tellDevice } from '../../drivers/devices/tell.ts';
import type { Logger } from '../../logs.ts';
import type { Temporal } from '../temporal/client.ts';

export interface DeviceOrderDeps {
  devices: DeviceRepository;
  temporal: Temporal;
  /** Wakes the workflow of the device's jobs. */
  tellJobs(deviceId: string): Promise<void>;
  publish(events: readonly StoredEvent[]): void;
  log: Logger;
}

const LOOK_FIRST_MS = 20;
const LOOK_EVERY_MS = 250;

/** Connects, disconnects and deletes devices: the row first, then the word to its workflow. */
export function createDeviceOrders({ devices, temporal, tellJobs, publish, log }: DeviceOrderDeps) {
  /** A word that is lost is said again by the reconciler. */
  async function tell(id: string, action: DeviceAction, epoch: number): Promise<void> {
    try {
      await temporal.call((client) => tellDevice(client, id, action, epoch));
    } catch (error) {
      log.warn(
        { err: error, deviceId: id },
        'a device’s workflow did not take the word; the reconciler says it again',
      );
    }
  }

  return {
    /** @throws AppError `unavailable` with nothing written while Temporal is away */
    async give(id: string, action: DeviceAction): Promise<void> {
      await devices.look(id);
      await temporal.ensureUp();
      const { epoch, isNew, events } = await devices.order(id, action);
      publish(events);
      if (isNew) await tell(id, action, epoch);
    },

    async remove(id: string): Promise<void> {
      await devices.look(id);
      await temporal.ensureUp();
      const { epoch, hasJob, events } = await devices.remove(id);
      publish(events);
      await tell(id, 'disconnect', epoch);
      if (hasJob) await tellJobs(id);
    },

    /** Until it is as wanted, or cannot be, for so long at most. */
    async untilDone(id: string, action: DeviceAction, seconds: number, signal: AbortSignal): Promise<void> {
      const isDone = action === 'connect' ? ['connected', 'error'] : ['disconnected'];
      const until = performance.now() + seconds * 1_000;
      for (let pauseMs = LOOK_FIRST_MS; ; pauseMs = Math.min(LOOK_EVERY_MS, pauseMs * 1.5)) {
        const { status } = await devices.look(id);
        if (isDone.includes(status) || performance.now() >= until || signal.aborted) return;
        await delay(pauseMs);
      }
    },
  };
}

export type DeviceOrders = ReturnType<typeof createDeviceOrders>;
