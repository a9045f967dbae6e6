import { v7 as uuidv7 } from 'uuid';
import type { DeviceCommandStore } from '../../db/myntrix/device-commands.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { Device } from '../../domain/myntrix/devices.ts';
import type { HostAsker } from '../../drivers/devices/ask-hosts.ts';
import type { Logger } from '../../logs.ts';

/** A host has it in milliseconds, and its port takes it within 2 s or not at all. */
const ANSWER_WITHIN_MS = 3_000;

export interface DeviceStopDeps {
  asker: HostAsker;
  record: Pick<DeviceCommandStore, 'add'>;
  log: Logger;
}

export interface DeliveredStop {
  id: string;
  deviceId: string;
  delivered: true;
  sentAt: string;
  note: string;
}

/**
 * Stops a device, past everything that waits for it: over the bus to its host, and from there to its port. Temporal has
 * no part in it. It is recorded afterwards, also when it was not delivered.
 */
export function createDeviceStop({ asker, record, log }: DeviceStopDeps) {
  /** @throws AppError unavailable when it was not delivered; timeout when that is not known */
  return async function stop(
    user: Pick<Principal, 'userId'>,
    device: Pick<Device, 'id' | 'name' | 'host'>,
  ): Promise<DeliveredStop> {
    const id = uuidv7();
    const hindrance = await asker.unreachable(device.host);
    const answer =
      hindrance === undefined
        ? await asker.ask(
            device.host,
            { id, deviceId: device.id, kind: 'emergency_stop', command: '', timeoutMs: ANSWER_WITHIN_MS },
            ANSWER_WITHIN_MS,
          )
        : undefined;
    const reason = hindrance ?? answer?.reason ?? `Host "${device.host}" did not answer.`;
    const isCertain = hindrance !== undefined || answer?.state === 'failed';
    // What became of it is told to who asked, whatever the database does.
    await record
      .add({
        id,
        deviceId: device.id,
        command: 'emergency stop',
        state: isCertain ? 'failed' : 'unknown',
        reason,
        sentAt: answer?.sentAt ?? null,
        answeredAt: null,
        requestedBy: user.userId,
      })
      .catch((error: unknown) =>
        log.error({ err: error, deviceId: device.id }, 'an emergency stop is not recorded'),
      );
    asker.receipt(device.host, id);
    if (answer?.isSent && answer.sentAt !== null)
      return {
        id,
        deviceId: device.id,
        delivered: true,
        sentAt: answer.sentAt,
        note: 'The bytes are with the port. The device is connected to again without onConnect; whether it stands, only a look at it tells.',
      };
    throw isCertain
      ? new AppError(
          'unavailable',
          `The emergency stop was NOT delivered to "${device.name}": ${reason} Use the switch of the machine.`,
        )
      : new AppError(
          'timeout',
          `It is not known whether the emergency stop was delivered to "${device.name}": ${reason} Use the switch of the machine.`,
        );
  };
}

export type DeviceStop = ReturnType<typeof createDeviceStop>;
