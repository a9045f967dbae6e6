import type { Transport } from '../port.ts';
import { createExchange } from './exchange.ts';
import { createLineSplitter } from './line-splitter.ts';
import type { DeviceProtocol, Reading } from './port.ts';
import { objectIn, saysNo } from './said.ts';

/**
 * A device that speaks JSON objects, one a line. What it says with `ok`, `error` or `result` answers the command under
 * way; numbers in anything else are readings.
 */
export function createJsonLines(
  transport: Transport,
  options: { emergencyBytes?: Uint8Array } = {},
): DeviceProtocol {
  const exchange = createExchange(transport, {
    name: 'json-lines',
    bytesOf: (text) => Buffer.from(`${text}\n`),
    emergencyBytes: options.emergencyBytes,
  });
  transport.onData(
    createLineSplitter((latin1) => {
      const line = Buffer.from(latin1, 'latin1').toString();
      const said = objectIn(line);
      if (!said) return exchange.emit({ kind: 'log', line });
      if ('ok' in said || 'error' in said || 'result' in said)
        return exchange.said(line, { isLast: true, isError: saysNo(said) });
      const readings = numbersIn(said);
      exchange.emit(readings.length > 0 ? { kind: 'readings', readings } : { kind: 'log', line });
    }),
  );
  return exchange.protocol;
}

const numbersIn = (said: Record<string, unknown>): Reading[] =>
  Object.entries(said).flatMap(([name, value]) =>
    typeof value === 'number' && Number.isFinite(value) ? [{ name: name.slice(0, 100), value }] : [],
  );
