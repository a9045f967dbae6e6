import { type Static, Type } from 'typebox';
import { Id } from '../wire.ts';

const text = (description: string) => Type.Optional(Type.String({ maxLength: 300, description }));

/** A serial port that a host has now. */
export const SerialPort = Type.Object(
  {
    path: Type.String({ maxLength: 300, examples: ['/dev/ttyUSB0'] }),
    manufacturer: text('of the USB device'),
    serialNumber: text('of the USB device; serial://?usb=<it> finds it wherever it is plugged in'),
    vendorId: text('four hexadecimal digits'),
    productId: text('four hexadecimal digits'),
  },
  { $id: 'SerialPort', examples: [{ path: '/dev/ttyUSB0', manufacturer: 'FTDI', serialNumber: 'A50285BI' }] },
);
export type SerialPort = Static<typeof SerialPort>;

export const PORTS_LIMIT = 256;

/** Which ports it has, asked of a host over the bus. */
export interface PortsRequest {
  request: string;
}

/** What the host says: its ports, or why it cannot tell. */
export const PortsAnswer = Type.Object({
  request: Id,
  ports: Type.Array(SerialPort, { maxItems: PORTS_LIMIT }),
  problem: Type.Optional(Type.String({ maxLength: 1_000 })),
});
export type PortsAnswer = Static<typeof PortsAnswer>;
