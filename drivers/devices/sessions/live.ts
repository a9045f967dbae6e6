import { AppError } from '../../../domain/errors.ts';
import type { DeviceOrder } from '../../../domain/myntrix/device-reports.ts';
import type { DeviceEvent, DeviceProtocol } from '../protocols/port.ts';
import type { Connection } from './connect.ts';
import type { LiveDevice, LiveEnd } from './port.ts';

/** A connection as those see it who use it; the session ends it. */
export interface OwnedLive extends LiveDevice {
  /** Whether commands of people are refused while somebody has the device. */
  refusesCommands(): boolean;
  finish(end: LiveEnd): void;
}

let connections = 0;

/** @param stop what an emergency stop does, whoever asks for it */
export function createLive(
  order: DeviceOrder,
  { address, transport, protocol, identity }: Connection,
  { stop, onEvent }: { stop(): Promise<void>; onEvent(event: DeviceEvent): void },
): OwnedLive {
  const over = Promise.withResolvers<LiveEnd>();
  const listeners = new Set([onEvent]);
  let holder: { what: string; refusesCommands: boolean } | undefined;
  let end: LiveEnd | undefined;
  protocol.onEvent((event) => {
    for (const listener of listeners) listener(event);
  });
  const shared: DeviceProtocol = {
    ...protocol,
    emergencyStop: stop,
    onEvent: (listener) => void listeners.add(listener),
  };
  return {
    deviceId: order.id,
    name: order.name,
    epoch: order.epoch,
    connection: `${order.id} ${order.epoch} ${++connections}`,
    address,
    mocked: transport.mocked,
    identity,
    protocol: shared,
    transport,
    ended: over.promise,
    get heldBy() {
      return holder?.what;
    },
    refusesCommands: () => holder?.refusesCommands ?? false,
    async hold(what, work, { commands = 'between' } = {}) {
      if (end) throw new AppError('unavailable', `The connection to "${order.name}" is over.`);
      if (holder) throw new AppError('conflict', `The device "${order.name}" is busy with ${holder.what}.`);
      const mine = { what, refusesCommands: commands === 'refused' };
      holder = mine;
      try {
        return await work(shared);
      } finally {
        if (holder === mine) holder = undefined;
      }
    },
    finish(how) {
      end ??= how;
      over.resolve(end);
    },
  };
}
