import type { DeviceAddress } from '../../../domain/myntrix/device-address.ts';
import type { DeviceAnswer, DeviceRequest } from '../../../domain/myntrix/device-commands.ts';
import type { DeviceOrder, DeviceReport } from '../../../domain/myntrix/device-reports.ts';
import type { Attempts } from '../../workflows/attempts.ts';
import type { Transport } from '../port.ts';
import type { DeviceProtocol, Identity } from '../protocols/port.ts';

/** Why a connection is over. After an emergency stop the device is connected to anew, and does nothing by itself. */
export type LiveEnd =
  | { kind: 'closed' }
  | { kind: 'lost'; reason: string }
  | { kind: 'emergency'; reason: string };

/**
 * One connection to a device that has said who it is. The next connection of the same device is another one: whoever
 * keeps this one finds everything refused after `ended`.
 */
export interface LiveDevice {
  readonly deviceId: string;
  readonly name: string;
  /** Of the order that made it; a later one is higher. */
  readonly epoch: number;
  /** Other in each connection of this host. */
  readonly connection: string;
  readonly address: DeviceAddress;
  readonly mocked: boolean;
  readonly identity: Identity;
  readonly protocol: DeviceProtocol;
  /** For transfers that are not commands; the protocol reads what comes. */
  readonly transport: Transport;
  /** Never rejects. */
  readonly ended: Promise<LiveEnd>;
  /** Who has it for themselves, if somebody has. */
  readonly heldBy: string | undefined;
  /**
   * Has the device for itself: one program, upload or transfer at a time. Commands of people go between the lines
   * of a program all the same, unless `commands` says that they are refused meanwhile. An emergency stop comes through always.
   * @param what shown to those who are refused, such as `the program "part.gcode"`
   * @throws AppError conflict while somebody else has it, unavailable when the connection is over
   */
  hold<T>(
    what: string,
    work: (protocol: DeviceProtocol) => Promise<T>,
    options?: { commands?: 'between' | 'refused' },
  ): Promise<T>;
}

/** How it came that the host holds a device no more. */
export type DeviceEnd =
  | { kind: 'disconnected' }
  /** What connecting again cannot mend, such as a connection string that nobody can use. */
  | { kind: 'error'; reason: string };

/**
 * The devices of one host. They live in its process: when that ends, ports and sockets are closed, and the next
 * life connects when it is told to.
 */
export interface DeviceSessions {
  /**
   * Connects, and connects again whenever the connection is lost, until it is released; or looks on where that is
   * done already for this order. An order older than the newest one known is refused. Resolves when the host holds it no more;
   * `signal` only ends the looking.
   * @throws StaleOrder
   */
  hold(order: DeviceOrder, signal: AbortSignal): Promise<DeviceEnd>;
  /** Closes the connection. Resolves when port or socket is free. @throws StaleOrder */
  release(order: Pick<DeviceOrder, 'id' | 'epoch'>): Promise<void>;
  /** The connection that a device has now. */
  of(deviceId: string): LiveDevice | undefined;
  /**
   * Closes the connection, so that another program (a flasher) can have the port, and connects again afterwards.
   * @throws AppError conflict while somebody holds the device, unavailable when it is not connected
   */
  lend<T>(deviceId: string, what: string, work: (address: DeviceAddress) => Promise<T>): Promise<T>;
  /** Does something with the port of a device that this host does not hold; who connects to it meanwhile waits. */
  keepFree<T>(deviceId: string, work: () => Promise<T>): Promise<T>;
  /** Carries out what the platform asks, each id once. Never rejects. */
  carryOut(request: DeviceRequest): Promise<DeviceAnswer>;
  /** Answers of requests of which nobody has said that they are recorded. */
  unrecorded(): DeviceAnswer[];
  recorded(ids: readonly string[]): void;
  reports(): DeviceReport[];
  /** Who holds which, for the next life. */
  attempts: Attempts;
  /** Calls back with each change of what a report says besides `lastSeen`. @returns what ends that. */
  onChange(listener: (report: DeviceReport) => void): () => void;
  /** In milliseconds since the host began; requests say until when by it. */
  clock(): number;
  /** Ends all connections. */
  close(): Promise<void>;
}
