/** What a simulated device hangs on: the other end of somebody's serial line or socket. */
export interface Link {
  /** As a device's connection string. */
  address: string;
  onData(listener: (bytes: Buffer) => void): void;
  /** Somebody opened the line; a pty cannot tell. */
  onOpen(listener: () => void): void;
  write(bytes: Buffer): void;
  /** Pulls the plug: a pty is gone for good, a socket's client is thrown out. */
  disconnect(): void;
  close(): void;
}

/** How many bytes a line of 8 bits, a start and a stop bit carries in so many ms. */
export const bytesWithin = (ms: number, baud: number): number => Math.ceil((baud / 10 / 1_000) * ms);

export const TICK_MS = 4;
