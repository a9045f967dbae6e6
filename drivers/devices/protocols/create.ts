import { AppError } from '../../../domain/errors.ts';
import type { Transport } from '../port.ts';
import { createGrbl } from './grbl.ts';
import { createJsonLines } from './json-lines.ts';
import { createLines } from './lines.ts';
import { createMarlin } from './marlin.ts';
import type { DeviceProtocol, ProtocolName } from './port.ts';
import { createRaw } from './raw.ts';

/**
 * @param emergencyBytes sent by an emergency stop instead of the protocol's own
 * @throws AppError invalid for a protocol that does not go over bytes
 */
export function createProtocol(
  name: ProtocolName,
  transport: Transport,
  options: { emergencyBytes?: Uint8Array } = {},
): DeviceProtocol {
  const makers = {
    marlin: createMarlin,
    grbl: createGrbl,
    lines: createLines,
    'json-lines': createJsonLines,
    raw: createRaw,
  };
  if (name === 'mqtt' || name === 'modbus' || name === 'http')
    throw new AppError(
      'invalid',
      `the protocol ${name} needs ${{ mqtt: 'mqtt(s)://', modbus: 'modbus-tcp://', http: 'http(s)://' }[name]}…, not ${transport.address.transport}`,
    );
  return makers[name](transport, options);
}
