import type { Socket } from 'node:net';

/**
 * Ends a connection as soon as it announces an MQTT packet over the limit: the parser would gather up to 256 MB of
 * it before anybody looks.
 * @param limitBytes asked at each packet, since who has logged in may send more.
 */
export function limitPackets(socket: Socket, limitBytes: () => number): void {
  const read = socket.read.bind(socket);
  const fits = createPacketMeter(limitBytes);
  // What reads from the socket asks for whole chunks as they came.
  socket.read = (size?: number) => {
    const chunk: unknown = read(size);
    if (!Buffer.isBuffer(chunk) || fits(chunk)) return chunk;
    socket.destroy();
    return null;
  };
}

/**
 * Follows the fixed headers of MQTT 3.1.1 (2.2): a byte of type, then the length of the rest, 7 bits a byte.
 * @returns whether no packet over the limit was announced up to the end of this chunk
 */
export function createPacketMeter(limitBytes: () => number): (chunk: Buffer) => boolean {
  let rest = 0;
  /** Bytes of the fixed header that were seen, with the length so far. */
  let header = 0;
  let length = 0;
  return (chunk) => {
    for (let at = 0; at < chunk.length; ) {
      if (rest > 0) {
        const taken = Math.min(rest, chunk.length - at);
        rest -= taken;
        at += taken;
        continue;
      }
      const byte = chunk[at] ?? 0;
      at += 1;
      header += 1;
      if (header === 1) continue;
      length += (byte & 0x7f) * 128 ** (header - 2);
      if (length > limitBytes() || header > 5) return false;
      if (byte & 0x80) continue;
      rest = length;
      header = 0;
      length = 0;
    }
    return true;
  };
}
