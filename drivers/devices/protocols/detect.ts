import { setTimeout as delay } from 'node:timers/promises';
import type { Transport } from '../port.ts';
import { createLineSplitter } from './line-splitter.ts';
import type { ProtocolName } from './port.ts';

/** Boards that start when their port is opened say who they are within this time. */
const LISTEN_MS = 300;

/**
 * Listens, then asks what harms nobody, to find out how a device speaks. To be called on a fresh transport, before a
 * protocol is made for it.
 * @returns `lines` when it says lines of no known kind, undefined when it says nothing that can be understood
 */
export async function detectProtocol(
  transport: Transport,
  timeoutMs: number,
): Promise<ProtocolName | undefined> {
  let found: ProtocolName | undefined;
  let saysLines = false;
  const heard = Promise.withResolvers<void>();
  transport.onData(
    createLineSplitter((line) => {
      const name = kindOf(line);
      if (/^[\x20-\x7e\t]+$/.test(line)) saysLines = true;
      if (name === undefined || found !== undefined) return;
      found = name;
      heard.resolve();
    }),
  );
  const end = Promise.race([heard.promise, delay(timeoutMs, undefined, { ref: false }), transport.ended]);
  await Promise.race([heard.promise, delay(Math.min(LISTEN_MS, timeoutMs), undefined, { ref: false })]);
  if (found === undefined) {
    // GRBL answers `?` at once and without a line's end; then it ends the line for Marlin, which reports temperatures.
    await transport.write(Buffer.from('?\nM105\n')).catch(() => {});
    await end;
  }
  transport.onData(() => {});
  return found ?? (saysLines ? 'lines' : undefined);
}

/** What only one of them says. */
function kindOf(line: string): ProtocolName | undefined {
  if (/^Grbl|^<(Idle|Run|Hold|Jog|Alarm|Door|Check|Home|Sleep)\b.*>$/.test(line)) return 'grbl';
  if (/^(start|ok T:.*|ok N\d+.*|echo:.*|FIRMWARE_NAME:.*|wait)$|\bT0?:-?\d+\.\d+ ?\//.test(line))
    return 'marlin';
  if (/^\{.*\}$/.test(line)) return 'json-lines';
  return undefined;
}
