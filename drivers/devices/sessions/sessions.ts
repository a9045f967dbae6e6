import { AppError } from '../../../domain/errors.ts';
import type { DeviceAnswer } from '../../../domain/myntrix/device-commands.ts';
import type { DeviceReport } from '../../../domain/myntrix/device-reports.ts';
import { storableCopy } from '../../../domain/storable.ts';
import { createAttempts } from '../../workflows/attempts.ts';
import { StaleOrder } from '../../workflows/stale-order.ts';
import type { DeviceMeans } from '../connection.ts';
import type { DeviceReporter } from '../reporter.ts';
import type { OpenTransport } from './connect.ts';
import type { DeviceEnd, DeviceSessions } from './port.ts';
import { createDeviceRequests } from './requests.ts';
import { type DeviceSession, startDeviceSession } from './session.ts';

export interface DeviceSessionsOptions {
  /** A folder of the host's own, where it notes who holds which device. */
  folder: string;
  open: OpenTransport;
  means: DeviceMeans;
  reporter: DeviceReporter;
}

/** The devices of this host, one session each. */
export function createDeviceSessions({
  folder,
  open,
  means,
  reporter,
}: DeviceSessionsOptions): DeviceSessions {
  const began = performance.now();
  const sessions = new Map<string, DeviceSession>();
  const newest = new Map<string, number>();
  const listeners = new Set<(report: DeviceReport) => void>();
  const turns = new Map<string, Promise<unknown>>();
  /** Above those of a life whose generation this one has by chance. */
  let seq = Date.now();
  let isClosed = false;

  const clock = (): number => performance.now() - began;
  /** One that could not be stored would take those of all devices of this host along. */
  const numbered = (report: Omit<DeviceReport, 'seq'>): DeviceReport => ({
    ...storableCopy(report),
    seq: ++seq,
  });
  const tell = (session: DeviceSession): void => {
    const report = numbered(session.report());
    for (const listener of listeners) listener(report);
  };
  const requests = createDeviceRequests({
    of: (id) => sessions.get(id)?.live(),
    stop(id) {
      const session = sessions.get(id);
      if (session) return session.emergencyStop();
      return Promise.reject(new AppError('unavailable', 'this host holds no connection to it'));
    },
    reporter,
    clock,
  });

  /** What is done to one device is done one after the other. */
  function inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const turn = (turns.get(id) ?? Promise.resolve()).then(work, work);
    turns.set(id, turn);
    const forget = () => void (turns.get(id) === turn && turns.delete(id));
    turn.then(forget, forget);
    return turn;
  }

  /** @throws StaleOrder */
  function follow(id: string, epoch: number): void {
    const known = newest.get(id) ?? -1;
    if (epoch < known) throw new StaleOrder(id, epoch, known);
    newest.set(id, epoch);
  }

  async function end(id: string): Promise<void> {
    const session = sessions.get(id);
    await session?.end();
    if (sessions.get(id) === session) sessions.delete(id);
  }

  return {
    async hold(order, signal) {
      follow(order.id, order.epoch);
      const session = await inTurn(order.id, async () => {
        follow(order.id, order.epoch);
        if (isClosed) throw new AppError('unavailable', 'this host ends');
        const known = sessions.get(order.id);
        if (known?.order.epoch === order.epoch) return known;
        await end(order.id);
        const made: DeviceSession = startDeviceSession(order, {
          open,
          means,
          reporter,
          changed: () => void (sessions.get(order.id) === made && tell(made)),
        });
        sessions.set(order.id, made);
        tell(made);
        return made;
      });
      const looking = Promise.withResolvers<DeviceEnd>();
      const away = () => looking.reject(signal.reason);
      if (signal.aborted) away();
      signal.addEventListener('abort', away, { once: true });
      session.ended.then(looking.resolve, looking.reject);
      try {
        return await looking.promise;
      } finally {
        signal.removeEventListener('abort', away);
      }
    },
    async release({ id, epoch }) {
      follow(id, epoch);
      await inTurn(id, () => end(id));
    },
    of: (id) => sessions.get(id)?.live(),
    lend(id, what, work) {
      const session = sessions.get(id);
      if (!session) return Promise.reject(new AppError('unavailable', 'This host holds no such device.'));
      return session.lend(what, work);
    },
    keepFree: inTurn,
    carryOut: requests.carryOut,
    unrecorded: (): DeviceAnswer[] => requests.unrecorded(),
    recorded: requests.recorded,
    reports: () => [...sessions.values()].map((session) => numbered(session.report())),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    clock,
    attempts: createAttempts(folder),
    async close() {
      isClosed = true;
      await Promise.all([...sessions.keys()].map((id) => inTurn(id, () => end(id))));
    },
  };
}
