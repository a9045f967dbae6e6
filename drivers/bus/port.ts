import type { Json } from '../../domain/wire.ts';

/**
 * The data plane: fast, and lossy by design. What must not be lost is numbered where it is kept, and fetched
 * there when a number is missing.
 */
export interface Bus {
  /** Sends JSON at once, or drops it when there is no connection. */
  publish(topic: string, message: object): void;
  /** Resolves when the broker has it; with `retain` it gives it to later subscribers too. */
  publishAcknowledged(topic: string, message: object, options?: { retain?: boolean }): Promise<void>;
  /** Makes the broker forget what was retained on a topic, if it can be reached now. */
  forget(topic: string): void;
  /** Calls `handler` for each message on a topic (`+` stands for one level) until disposed. */
  subscribe(topic: string, handler: (message: Json, topic: string) => void): Promise<Subscription>;
  /** @throws when the broker cannot be reached now. */
  check(): Promise<void>;
  /** Calls back after each connection, the first one included: at once when there is one already. */
  onConnect(callback: () => void): void;
  /** Messages since the start; those dropped had no connection to go over. */
  counts(): { published: number; dropped: number };
  close(): Promise<void>;
}

export interface Subscription {
  close(): Promise<void>;
}
