import type { DeviceAddress } from '../../domain/myntrix/device-address.ts';

/** Why a connection is over. `closed` is our own wish. */
export type ConnectionEnd = { kind: 'closed' } | { kind: 'lost'; reason: string };

/**
 * A two-way way of bytes to a device. Bytes written are in order, and none are written twice. Whoever opened it
 * closes it.
 */
export interface Transport {
  readonly address: DeviceAddress;
  /** There is nothing real at its other end (`mock://`). */
  readonly mocked: boolean;
  /**
   * Queues the bytes behind what was written before.
   * @returns once the operating system has taken them all, which is not yet the device.
   * @throws AppError unavailable when the connection is over, or they were dropped by `overtake`.
   */
  write(bytes: Uint8Array): Promise<void>;
  /**
   * For emergencies: drops what waits to be written, here and in the port, and writes this instead. On a socket, what
   * the operating system has taken already goes before it.
   */
  overtake(bytes: Uint8Array): Promise<void>;
  /** What arrives, in pieces of any size. One listener: the next one takes its place. */
  onData(listener: (bytes: Buffer) => void): void;
  /** Resolves when the connection is over; never rejects. */
  readonly ended: Promise<ConnectionEnd>;
  /** Ends it; what waits to be written is dropped. Resolves when port or socket is free again. */
  close(): Promise<void>;
}

export interface OpenOptions {
  /** Gives up. */
  signal: AbortSignal;
  timeoutMs: number;
}

/** A serial port that a host has. */
export interface SerialPortInfo {
  path: string;
  manufacturer?: string;
  serialNumber?: string;
  vendorId?: string;
  productId?: string;
}
