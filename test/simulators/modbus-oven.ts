import { EventEmitter } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import modbus from 'jsmodbus';
import { createFates, createOven, IDENTITY, type OvenOptions, type RunningOven } from './oven.ts';

const HEADER = 6;
const WRITES = [5, 6, 15, 16];
const SIZES: Readonly<Record<number, number>> = { 1: 16, 2: 16, 3: 16, 4: 16, 5: 16, 6: 16, 15: 16, 16: 16 };
const TICK_MS = 50;

/**
 * An oven that has registers: holding 0 and 1 the target as a float, holding 2 the speed, coil 0 whether it runs; input 0
 * its temperature in tenths, input 1 and 2 the target as a whole number with the low word first, discrete 0 whether it is
 * hot. There are 16 of each.
 */
export async function startModbusOven({ faults, record, port, speed }: OvenOptions): Promise<RunningOven> {
  const oven = createOven(speed, record);
  const fates = createFates(faults);
  const kept = {
    holding: Buffer.alloc(32),
    input: Buffer.alloc(32),
    coils: Buffer.alloc(2),
    discrete: Buffer.alloc(2),
  };
  kept.holding.writeFloatBE(oven.state.target, 0);
  const connections = new EventEmitter();
  // The library takes whatever tells of connections.
  const server = new modbus.server.TCP(connections as unknown as Server, kept);
  server.on('readDeviceIdentification', (request, answer) => {
    const { vendor, name, version } = IDENTITY;
    const objects = [vendor, name, version].map((text, id) => ({ id, value: Buffer.from(text) }));
    const body = new modbus.responses.ReadDeviceIdentificationResponseBody(1, 1, 0, 0, objects);
    answer(modbus.ModbusTCPResponse.fromRequest(request as never, body).createPayload());
  });

  /** What was written is done. */
  function written(): string | undefined {
    const wanted = {
      target: kept.holding.readFloatBE(0),
      speed: kept.holding.readUInt16BE(4),
      running: (kept.coils[0] ?? 0) & 1,
    };
    for (const [name, value] of Object.entries(wanted))
      if (Number(oven.state[name as keyof typeof wanted]) !== value) {
        // its own keys
        const problem = oven.set(name, value);
        if (problem) return problem;
      }
    return undefined;
  }
  function restore(): void {
    kept.holding.writeFloatBE(oven.state.target, 0);
    kept.holding.writeUInt16BE(oven.state.speed, 4);
    kept.coils[0] = Number(oven.state.running);
  }
  setInterval(() => {
    kept.input.writeInt16BE(Math.round(oven.state.temperature * 10), 0);
    const target = Math.round(oven.state.target);
    kept.input.writeUInt16BE(target & 0xffff, 2);
    kept.input.writeUInt16BE(target >>> 16, 4);
    kept.discrete[0] = Number(oven.state.temperature > 50);
  }, TICK_MS);

  const clients = new Set<Socket>();
  const listening = createServer({ noDelay: true }, (socket) => {
    clients.add(socket);
    let rest = Buffer.alloc(0);
    const answer = (frame: Buffer): void =>
      fates.ofAnswer((fate) => {
        if (fate === 'cut') socket.write(frame.subarray(0, 5), () => socket.resetAndDestroy());
        else if (fate === 'noise') socket.write(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
        else if (fate === 'sent') socket.write(frame);
      });
    const link = new Duplex({
      read: () => {},
      write(frame: Buffer, _encoding, done) {
        if (WRITES.includes(frame[7] ?? 0) && written() !== undefined) {
          restore();
          answer(exception(frame, 3));
        } else answer(frame);
        done();
      },
    });
    connections.emit('connection', link);
    socket.on('data', (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes]);
      while (rest.length >= HEADER && rest.length >= HEADER + rest.readUInt16BE(4)) {
        const frame = Buffer.from(rest.subarray(0, HEADER + rest.readUInt16BE(4)));
        rest = Buffer.from(rest.subarray(frame.length));
        record.bytes(frame.length);
        const code = frame[7] ?? 0;
        record.received(frame.subarray(7).toString('hex'));
        const fate = WRITES.includes(code) ? fates.ofCommand() : 'done';
        const most = SIZES[code];
        const count = code === 5 || code === 6 ? 1 : frame.length >= 12 ? frame.readUInt16BE(10) : 0;
        const isRefused = most !== undefined && frame.readUInt16BE(8) + count > most;
        if (fate === 'lost') continue;
        if (fate === 'refused') answer(exception(frame, 4));
        else if (isRefused) answer(exception(frame, 2));
        else link.push(frame);
      }
    });
    socket.on('error', () => {}); // its end is what counts
    socket.on('close', () => clients.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    listening.on('error', reject);
    listening.listen(port, '127.0.0.1', resolve);
  });
  const at = listening.address();
  if (at === null || typeof at === 'string') throw new Error('a TCP server has a port');
  return {
    address: `modbus-tcp://127.0.0.1:${at.port}?unit=1`,
    say: (text) => clients.forEach((socket) => void socket.write(text)),
    disconnect: () => clients.forEach((socket) => void socket.resetAndDestroy()),
    pause: fates.pause,
  };
}

function exception(frame: Buffer, code: number): Buffer {
  const answer = Buffer.alloc(9);
  frame.copy(answer, 0, 0, 7);
  answer.writeUInt16BE(3, 4);
  answer[7] = (frame[7] ?? 0) | 0x80;
  answer[8] = code;
  return answer;
}
