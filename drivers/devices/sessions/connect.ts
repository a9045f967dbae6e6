import { AppError } from '../../../domain/errors.ts';
import {
  type DeviceAddress,
  parseDeviceAddress,
  shownAddress,
} from '../../../domain/myntrix/device-address.ts';
import type { DeviceOrder } from '../../../domain/myntrix/device-reports.ts';
import type { DeviceMeans } from '../connection.ts';
import { messageProtocolOf, openMessages } from '../open-messages.ts';
import type { OpenOptions, Transport } from '../port.ts';
import { createProtocol } from '../protocols/create.ts';
import { detectProtocol } from '../protocols/detect.ts';
import { type DeviceProtocol, type Identity, type ProtocolName, protocolNames } from '../protocols/port.ts';

/** Who opens a way to a device; with `VAREON_MOCK_SERIAL` there is nothing real behind a serial port. */
export type OpenTransport = (address: DeviceAddress, options: OpenOptions) => Promise<Transport>;

/** A device that has said who it is. */
export interface Connection {
  address: DeviceAddress;
  transport: Transport;
  protocol: DeviceProtocol;
  identity: Identity;
}

export interface ConnectOptions {
  open: OpenTransport;
  /** For devices that are spoken to by messages. */
  means: DeviceMeans;
  signal: AbortSignal;
  /** Bytes came. */
  onHeard(): void;
  /** From here on an emergency stop has a way to the device. */
  onProtocol(protocol: DeviceProtocol, transport: Transport): void;
}

const CONNECT_TIMEOUT_MS = 15_000;

/** Which protocol the order names, by its configuration or else by its type; none when it is to be found out. */
export function namedProtocol({ type, configuration }: Pick<DeviceOrder, 'type' | 'configuration'>) {
  const wanted = configuration.protocol;
  const named = protocolNames.find((name) => name === (wanted ?? type.toLowerCase()));
  if (wanted !== undefined && named === undefined)
    throw new AppError(
      'invalid',
      `configuration.protocol is ${JSON.stringify(wanted)}, and ${protocolNames.join(', ')} are known`,
    );
  return named;
}

/**
 * Opens the way to a device and asks who is there. What was opened is closed when that fails.
 * @throws AppError invalid for what another attempt cannot mend; unavailable or timeout else
 */
export async function connectDevice(order: DeviceOrder, options: ConnectOptions): Promise<Connection> {
  const { connectionString, configuration } = order;
  const address = parseDeviceAddress(connectionString, configuration.port);
  const named = namedProtocol(order);
  const timeoutMs = configuration.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  const until = performance.now() + timeoutMs;
  const leftMs = () => Math.max(1, until - performance.now());
  const messages = messageProtocolOf(address)
    ? await openMessages(
        order,
        address,
        { signal: options.signal, timeoutMs, onHeard: options.onHeard },
        options.means,
      )
    : undefined;
  const transport =
    messages?.transport ??
    heard(await options.open(address, { signal: options.signal, timeoutMs }), options.onHeard);
  const abort = () => void transport.close();
  options.signal.addEventListener('abort', abort, { once: true });
  let protocol = messages?.protocol;
  try {
    protocol ??= await spokenOver(transport, named, configuration.emergencyBytes, leftMs());
    options.onProtocol(protocol, transport);
    const identity = await protocol.identify(leftMs());
    options.signal.throwIfAborted();
    return { address, transport, protocol, identity };
  } catch (error) {
    protocol?.close();
    await transport.close();
    throw error;
  } finally {
    options.signal.removeEventListener('abort', abort);
  }
}

async function spokenOver(
  transport: Transport,
  named: ProtocolName | undefined,
  emergencyBytes: string | undefined,
  timeoutMs: number,
): Promise<DeviceProtocol> {
  const name = named ?? (await detected(transport, timeoutMs));
  return createProtocol(
    name,
    transport,
    emergencyBytes === undefined ? {} : { emergencyBytes: Buffer.from(emergencyBytes, 'hex') },
  );
}

/** @throws AppError timeout when it says nothing that can be understood */
async function detected(transport: Transport, timeoutMs: number): Promise<ProtocolName> {
  // Half of the time is for the device to say who it is.
  const found = await detectProtocol(transport, Math.min(5_000, timeoutMs / 2));
  if (found !== undefined) return found;
  throw new AppError(
    'timeout',
    `${shownAddress(transport.address)} is open, and says nothing that tells its protocol: name it in configuration.protocol (${protocolNames.join(', ')})`,
  );
}

/** The same transport, which tells when something comes. */
const heard = (transport: Transport, onHeard: () => void): Transport => ({
  ...transport,
  onData: (listener) =>
    transport.onData((bytes) => {
      onHeard();
      listener(bytes);
    }),
});
