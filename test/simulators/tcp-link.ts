import { createServer, type Socket } from 'node:net';
import { bytesWithin, type Link, TICK_MS } from './link.ts';

/** A socket for one client at a time, as serial servers have it; the next one is turned away. */
export async function createTcpLink(port: number, baud: number | undefined): Promise<Link> {
  let client: Socket | undefined;
  let listener = (_: Buffer): void => {};
  let opened = (): void => {};
  const server = createServer((socket) => {
    if (client) return void socket.destroy();
    client = socket;
    socket.setNoDelay(true);
    socket.on('error', () => {}); // its end is what counts
    socket.on('close', () => {
      client = undefined;
    });
    if (baud === undefined) socket.on('data', (bytes: Buffer) => listener(bytes));
    else paced(socket, baud, (bytes) => listener(bytes));
    opened();
  });
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const at = server.address();
  if (at === null || typeof at === 'string') throw new Error('a TCP server has a port');
  return {
    address: `tcp://127.0.0.1:${at.port}`,
    onData: (next) => {
      listener = next;
    },
    onOpen: (next) => {
      opened = next;
    },
    write: (bytes) => void client?.write(bytes),
    disconnect: () => void client?.resetAndDestroy(),
    close() {
      client?.destroy();
      server.close();
    },
  };
}

function paced(socket: Socket, baud: number, listener: (bytes: Buffer) => void): void {
  socket.on('readable', () => {}); // paused: bytes are taken by the clock below
  const pace = setInterval(() => {
    const most = Math.min(socket.readableLength, bytesWithin(TICK_MS, baud));
    const bytes: Buffer | null = most > 0 ? socket.read(most) : null;
    if (bytes) listener(bytes);
  }, TICK_MS);
  socket.on('close', () => clearInterval(pace));
}
