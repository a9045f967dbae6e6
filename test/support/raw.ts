import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

export interface RawConnection {
  socket: Socket;
  /** All that came so far. */
  received(): Buffer;
  /** Waits until what came is as wanted. */
  until(done: (received: Buffer) => boolean, deadlineMs?: number): Promise<Buffer>;
  /** Waits until the other side has closed. */
  closed(deadlineMs?: number): Promise<Buffer>;
}

/** A TCP connection that says what it likes. */
export async function openRaw(url: string, localAddress?: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), ...(localAddress ? { localAddress } : {}) });
  const chunks: Buffer[] = [];
  const watchers = new Set<() => void>();
  let isClosed = false;
  const look = () => {
    for (const watcher of watchers) watcher();
  };
  socket.on('data', (chunk) => {
    chunks.push(chunk);
    look();
  });
  socket.on('error', () => {}); // `closed` tells
  socket.on('close', () => {
    isClosed = true;
    look();
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  const received = () => Buffer.concat(chunks);
  const wait = (done: () => boolean, what: string, deadlineMs: number) =>
    new Promise<Buffer>((resolve, reject) => {
      const watcher = () => {
        if (!done()) return;
        clearTimeout(timer);
        watchers.delete(watcher);
        resolve(received());
      };
      const timer = setTimeout(() => {
        watchers.delete(watcher);
        reject(
          new Error(
            `not ${what} within ${deadlineMs} ms; came: ${received().toString('latin1').slice(0, 500)}`,
          ),
        );
      }, deadlineMs).unref(); // nobody may await it to its end
      watchers.add(watcher);
      watcher();
    });
  return {
    socket,
    received,
    until: (done, deadlineMs = 60_000) => wait(() => done(received()), 'as wanted', deadlineMs),
    closed: (deadlineMs = 60_000) => wait(() => isClosed, 'closed', deadlineMs),
  };
}

/** Makes a connection a WebSocket by hand, so that it can break the protocol. */
export async function upgradeRaw(url: string, path: string, token: string): Promise<RawConnection> {
  const raw = await openRaw(url);
  raw.socket.write(
    `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nAuthorization: Bearer ${token}\r\n\r\n`,
  );
  const head = await raw.until((received) => received.includes('\r\n\r\n'));
  const line = head.toString('latin1').split('\r\n')[0] ?? '';
  if (!line.includes(' 101 ')) throw new Error(line);
  return raw;
}

/** A client's frame (RFC 6455, 5.2); `first` is its first byte: FIN, reserved bits, opcode. */
export function frame(
  first: number,
  payload: Buffer,
  { masked = true, length = payload.length } = {},
): Buffer {
  const bit = masked ? 0x80 : 0;
  const head =
    length < 126
      ? Buffer.from([first, bit | length])
      : length < 65_536
        ? Buffer.from([first, bit | 126, length >> 8, length & 255])
        : Buffer.concat([Buffer.from([first, bit | 127]), bigEndian(length)]);
  // A mask of zeros leaves the payload as it is.
  return Buffer.concat([head, masked ? Buffer.alloc(4) : Buffer.alloc(0), payload]);
}

function bigEndian(length: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(length));
  return bytes;
}

/** The code of the close frame among frames of a server, which are not masked. */
export function closeCode(received: Buffer): number | undefined {
  let at = received.indexOf('\r\n\r\n') + 4;
  while (at + 2 <= received.length) {
    const opcode = (received[at] ?? 0) & 15;
    let length = (received[at + 1] ?? 0) & 127;
    let head = 2;
    if (length === 126) [length, head] = [received.readUInt16BE(at + 2), 4];
    else if (length === 127) [length, head] = [Number(received.readBigUInt64BE(at + 2)), 10];
    if (opcode === 8) return length >= 2 ? received.readUInt16BE(at + head) : 1005;
    at += head + length;
  }
  return undefined;
}
