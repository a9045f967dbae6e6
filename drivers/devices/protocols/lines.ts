import type { Transport } from '../port.ts';
import { createExchange } from './exchange.ts';
import { createLineSplitter } from './line-splitter.ts';
import type { DeviceProtocol } from './port.ts';

export interface LinesOptions {
  /** Sent after each command; LF unless given. */
  terminator?: string;
  /** The line that ends an answer; the first line unless given. */
  isLast?: (line: string) => boolean;
  /** An answer with such a line means that the device said no. */
  isError?: (line: string) => boolean;
  emergencyBytes?: Uint8Array;
}

/** A device that is asked by a line and answers by lines (SCPI instruments, relays, Arduino sketches). */
export function createLines(transport: Transport, options: LinesOptions = {}): DeviceProtocol {
  const { terminator = '\n', isLast = () => true, isError = () => false } = options;
  const exchange = createExchange(transport, {
    name: 'lines',
    bytesOf: (text) => Buffer.from(`${text}${terminator}`, 'latin1'),
    emergencyBytes: options.emergencyBytes,
  });
  transport.onData(
    createLineSplitter((line) => exchange.said(line, { isLast: isLast(line), isError: isError(line) })),
  );
  return exchange.protocol;
}
