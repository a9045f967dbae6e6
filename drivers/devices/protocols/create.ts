import type { Transport } from '../port.ts';
import { createGrbl } from './grbl.ts';
import { createJsonLines } from './json-lines.ts';
import { createLines } from './lines.ts';
import { createMarlin } from './marlin.ts';
import type { DeviceProtocol, ProtocolName } from './port.ts';
import { createRaw } from './raw.ts';

/** @param emergencyBytes sent by an emergency stop instead of the protocol's own */
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
  return makers[name](transport, options);
}
