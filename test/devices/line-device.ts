import { createServer, type Socket } from 'node:net';

/** A device that answers each line, or each piece of bytes, on a real socket. */
export interface LineDevice {
  address: string;
  /** What it did, in its order. */
  executed: string[];
  /** How often somebody connected, and what is open now. */
  connections: number;
  open(): number;
  /** Its answers come so much later. */
  pauseMs: number;
  cut(): void;
  close(): Promise<void>;
}

/**
 * @param answer to what came; none for what has no answer
 * @param port 0 for a free one
 */
export async function startLineDevice(
  isBinary: boolean,
  answer: (said: string) => string | undefined,
  port = 0,
): Promise<LineDevice> {
  const clients = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    clients.add(socket);
    device.connections += 1;
    socket.on('close', () => clients.delete(socket));
    socket.on('error', () => {}); // its end is what counts
    const take = (said: string): void => {
      device.executed.push(said);
      const text = answer(said);
      if (text === undefined) return;
      setTimeout(
        () => void socket.write(isBinary ? Buffer.from(text, 'hex') : `${text}\n`),
        device.pauseMs,
      ).unref();
    };
    let rest = '';
    socket.on('data', (bytes: Buffer) => {
      if (isBinary) return take(bytes.toString('hex'));
      const lines = (rest + bytes.toString('utf8')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) take(line);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const at = server.address();
  if (at === null || typeof at === 'string') throw new Error('a TCP server has a port');
  const device: LineDevice = {
    address: `tcp://127.0.0.1:${at.port}`,
    executed: [],
    connections: 0,
    open: () => clients.size,
    pauseMs: 0,
    cut: () => clients.forEach((socket) => void socket.resetAndDestroy()),
    async close() {
      device.cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return device;
}
