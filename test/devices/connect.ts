import { createHash } from 'node:crypto';
import { parseDeviceAddress } from '../../domain/myntrix/device-address.ts';
import { readGcode } from '../../drivers/devices/gcode/lines.ts';
import type { GcodeLine } from '../../drivers/devices/gcode/port.ts';
import { openTransport } from '../../drivers/devices/open.ts';
import type { Transport } from '../../drivers/devices/port.ts';

export const connect = (address: string): Promise<Transport> =>
  openTransport(parseDeviceAddress(address), { signal: new AbortController().signal, timeoutMs: 30_000 });

/** So many moves, no two the same, and what a device that did them once each in their order has recorded. */
export function program(lines: number): { source: () => AsyncGenerator<GcodeLine[]>; sha256: string } {
  const hash = createHash('sha256');
  let text = '; a program\n';
  for (let number = 0; number < lines; number++) {
    const line = `G1 X${(number % 200) + 0.5} Y${number} F1500`;
    hash.update(`${line}\n`);
    text += number % 50 === 0 ? `${line} ; with a comment\r\n\r\n` : `${line}\n`;
  }
  const bytes = Buffer.from(text);
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
  }
  return { source: () => readGcode(chunks()), sha256: hash.digest('hex') };
}
