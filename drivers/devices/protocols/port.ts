import type { GcodeRun, GcodeSource, RunOptions } from '../gcode/port.ts';

/** Those of connections that carry bytes. */
export const byteProtocolNames = ['lines', 'json-lines', 'raw', 'marlin', 'grbl'] as const;
/** Those that are one with their transport. */
export const messageProtocolNames = ['mqtt', 'modbus', 'http'] as const;
export const protocolNames = [...byteProtocolNames, ...messageProtocolNames] as const;
export type ProtocolName = (typeof protocolNames)[number];

/**
 * `acknowledged`: the device said yes; `failed`: it said no; `unknown`: sent, and no answer is known. What is unknown
 * is never sent again by itself.
 */
export interface Answer {
  state: 'acknowledged' | 'failed' | 'unknown';
  /** What the device said to it, without what only paces the connection. */
  lines: string[];
  /** Why, when it is not acknowledged. */
  reason?: string;
  sentAt: Date;
  answeredAt: Date | null;
}

export interface Identity {
  firmwareName?: string;
  firmwareVersion?: string;
  /** What else the device says of itself, by its own names. */
  details: Record<string, string>;
}

/** A measured value by the name that the device gives it, such as `T`, `B` (a temperature) or `MPos.x`. */
export interface Reading {
  name: string;
  value: number;
  target?: number;
}

export type DeviceEvent =
  | { kind: 'readings'; readings: Reading[] }
  /** A line that answers no command. */
  | { kind: 'log'; line: string }
  /** What the device says it is doing: GRBL's states, `busy`. */
  | { kind: 'state'; state: string }
  /** It started anew: what it was told before is forgotten, and heaters are off. */
  | { kind: 'reset' }
  | { kind: 'alarm'; message: string };

/** Has a machine stand in the middle of a motion; until it goes on, it takes no line. */
export interface FeedHold {
  hold(): Promise<void>;
  release(): Promise<void>;
  /**
   * Has it stand, and forget what it was told and has not done; where it is stays known.
   * @throws AppError timeout, unavailable
   */
  drop(): Promise<void>;
}

/** A protocol on an open transport. Commands are carried out one after the other, in the order in which they came. */
export interface DeviceProtocol {
  readonly name: ProtocolName;
  /** Asks who is there. @throws AppError timeout when nobody answers as this protocol does */
  identify(timeoutMs: number): Promise<Identity>;
  /**
   * @throws AppError invalid for a text that cannot be one command; timeout when it was not sent in time and never
   * will be
   */
  command(text: string, options: { timeoutMs: number }): Promise<Answer>;
  /** Characters that act at once, wherever they are, where the protocol has them. */
  realtime?(character: string): Promise<void>;
  /** Where the protocol has it. */
  readonly feedHold?: FeedHold;
  /** Stops the device, before everything that waits; what was under way becomes `unknown`. */
  emergencyStop(): Promise<void>;
  /** Streams a program, where the protocol has programs; one at a time. */
  run?(source: GcodeSource, options?: RunOptions): GcodeRun;
  onEvent(listener: (event: DeviceEvent) => void): void;
  /** Ends what is under way as `unknown`. The transport stays open: it is its owner's. */
  close(): void;
}
