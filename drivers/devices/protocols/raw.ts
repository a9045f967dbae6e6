import { InterByteTimeoutParser } from 'serialport';
import type { Transport } from '../port.ts';
import { createExchange } from './exchange.ts';
import type { DeviceProtocol } from './port.ts';

/** Between two bytes of one answer. */
const GAP_MS = 50;

/** Bytes both ways, written as hexadecimal digits: an answer is what comes until there is a gap. */
export function createRaw(
  transport: Transport,
  options: { gapMs?: number; emergencyBytes?: Uint8Array } = {},
): DeviceProtocol {
  const exchange = createExchange(transport, {
    name: 'raw',
    bytesOf: (text) => Buffer.from(text.replace(/\s+/g, ''), 'hex'),
    check: (text) =>
      /^(\s*[0-9a-f]{2})+\s*$/i.test(text)
        ? undefined
        : 'raw commands are bytes as two hexadecimal digits each',
    emergencyBytes: options.emergencyBytes,
  });
  const parser = new InterByteTimeoutParser({ interval: options.gapMs ?? GAP_MS, maxBufferSize: 4_096 });
  parser.on('data', (bytes: Buffer) =>
    exchange.said(bytes.toString('hex'), { isLast: true, isError: false }),
  );
  transport.onData((bytes) => void parser.write(bytes));
  return exchange.protocol;
}
