import { topics } from '../domain/names.ts';
import type { Json } from '../domain/wire.ts';
import type { Bus } from '../drivers/bus/port.ts';

const EVERY_MS = 4_000;

/** Says that the host is there, every few seconds and at once after each connection. */
export function announceHost(
  bus: Bus,
  name: string,
  state: () => { generation: number; capabilities: { [name: string]: Json }; sessions: number },
): { stop(): void; offline(): Promise<void> } {
  const announce = () => {
    const message = { name, status: 'online', at: new Date().toISOString(), ...state() };
    // A lost one is followed by the next.
    bus.publishAcknowledged(topics.hostStatus(name), message, { retain: true }).catch(() => {});
  };
  bus.onConnect(announce);
  const timer = setInterval(() => bus.check().then(announce, () => {}), EVERY_MS);
  return {
    stop: () => clearInterval(timer),
    /** A host that ends in order says so itself; without a connection its last will does. */
    async offline() {
      try {
        await bus.check();
        await bus.publishAcknowledged(
          topics.hostStatus(name),
          { name, status: 'offline', generation: state().generation },
          { retain: true },
        );
      } catch {
        // No connection: the broker sees to it.
      }
    },
  };
}
