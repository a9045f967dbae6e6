import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** Transaction, protocol (0), length of what follows: MODBUS Messaging on TCP/IP 1.0b, 3.1.3. */
const HEADER = 6;
/** Unit, function and data: a PDU has at most 253 bytes. */
const LONGEST = 254;

/**
 * The socket as several clients of the library may see it, each with one request under way: only whole answers to it.
 * A late answer would be taken for the next one's, and bytes that are no frames would be waited for for ever.
 * @param onNonsense called with what is wrong when what comes is not Modbus
 * @returns makes a client's end
 */
export function createLinks(
  socket: Socket,
  { onAnswer, onNonsense }: { onAnswer(): void; onNonsense(what: string): void },
): () => Duplex {
  let rest: Buffer = Buffer.alloc(0);
  let transaction = 0;
  /** By the number on the wire: whose request it is, and which number the library gave it. */
  const asked = new Map<number, { link: Duplex; number: number }>();

  socket.on('data', (bytes: Buffer) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    while (rest.length >= HEADER) {
      const length = rest.readUInt16BE(4);
      if (rest.readUInt16BE(2) !== 0 || length < 2 || length > LONGEST) {
        onNonsense(`it says what is not Modbus: ${rest.subarray(0, 16).toString('hex')}`);
        return;
      }
      if (rest.length < HEADER + length) return;
      const frame = Buffer.from(rest.subarray(0, HEADER + length));
      rest = rest.subarray(HEADER + length);
      onAnswer();
      const request = asked.get(frame.readUInt16BE(0));
      if (!request) continue; // too late
      asked.delete(frame.readUInt16BE(0));
      frame.writeUInt16BE(request.number, 0);
      request.link.push(frame);
    }
  });
  socket.on('error', () => {}); // 'close' follows

  return () => {
    const link = new Duplex({
      read: () => {},
      write(chunk: Buffer, _encoding, done) {
        for (const [number, { link: whose }] of asked) if (whose === link) asked.delete(number);
        transaction = (transaction + 1) % 65_536;
        asked.set(transaction, { link, number: chunk.readUInt16BE(0) });
        const frame = Buffer.from(chunk);
        frame.writeUInt16BE(transaction, 0);
        socket.write(frame, (error) => done(error));
      },
    });
    link.on('error', () => {}); // the socket's own end is what counts
    socket.on('connect', () => link.emit('connect'));
    socket.on('close', () => link.destroy());
    return link;
  };
}
