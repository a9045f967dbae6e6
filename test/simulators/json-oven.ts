import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { createFiles } from './files.ts';
import { createFates, createOven, type OvenOptions, obeyOven, type RunningOven } from './oven.ts';

const TELEMETRY_MS = 100;

/** An oven that speaks JSON objects, one a line, over TCP; numbers that nobody asked for are its readings. */
export async function startJsonOven({ faults, record, port, speed }: OvenOptions): Promise<RunningOven> {
  const oven = createOven(speed, record);
  const fates = createFates(faults);
  const files = createFiles(faults, record);
  const sockets = new Set<Socket>();
  const cut = (): void => sockets.forEach((socket) => void socket.destroy());
  const say = (text: string): void => sockets.forEach((socket) => void socket.write(text));
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    const lines = createInterface({ input: socket });
    for (const each of [socket, lines]) each.on('error', () => {}); // the connection's end is what counts
    lines.on('line', (line) => {
      record.bytes(line.length + 1);
      record.received(line);
      const fate = fates.ofCommand();
      if (fate === 'lost') return;
      const said = fate === 'refused' ? { ok: false, error: 'not now' } : answerTo(line);
      fates.ofAnswer((how) => {
        if (how === 'cut') cut();
        else if (how === 'noise') socket.write(Buffer.from([0xff, 0xfe, 0x00, 0x7b, 0x0a]));
        else if (how === 'sent') socket.write(`${JSON.stringify(said)}\n`);
      });
    });
  });

  function answerTo(line: string): object {
    try {
      const command: unknown = JSON.parse(line);
      if (typeof command === 'object' && command !== null) {
        const named = command as Record<string, unknown>; // any keys
        return files.take(named) ?? obeyOven(oven, named, record);
      }
    } catch {
      // not JSON: said below
    }
    return { ok: false, error: 'not a command' };
  }

  await new Promise<void>((resolve, reject) => {
    server.on('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  setInterval(() => {
    const { temperature, target } = oven.state;
    say(`${JSON.stringify({ temperature, target })}\n`);
  }, TELEMETRY_MS);
  const at = server.address();
  if (at === null || typeof at === 'string') throw new Error('a TCP server has a port');
  return { address: `tcp://127.0.0.1:${at.port}`, say, disconnect: cut, pause: fates.pause };
}
