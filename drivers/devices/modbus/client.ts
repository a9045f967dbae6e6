import { connect, type Socket } from 'node:net';
import modbus from 'jsmodbus';
import { AppError } from '../../../domain/errors.ts';
import { type ModbusAddress, shownAddress } from '../../../domain/myntrix/device-address.ts';
import { isBits, type Register } from '../../../domain/myntrix/device-modbus.ts';
import type { ConnectionEnd, OpenOptions } from '../port.ts';
import type { Block } from './blocks.ts';
import { createLinks } from './frames.ts';

/** Requests one after the other; what rejects them is read by exceptions.ts. */
export interface ModbusClient {
  /** The registers, or bits as 0 and 1. */
  read(block: Pick<Block, 'kind' | 'address' | 'count'>): Promise<number[]>;
  /** @param isUrgent waits for no other request */
  write(register: Register, words: readonly number[], isUrgent?: boolean): Promise<void>;
  /** The names of vendor, product and version; undefined when the device has no such function. */
  whoIsThere(): Promise<string[] | undefined>;
  readonly ended: Promise<ConnectionEnd>;
  end(how: ConnectionEnd): void;
}

/** @throws AppError unavailable */
export async function connectModbus(
  address: ModbusAddress,
  {
    unit,
    requestMs,
    onAnswer,
    ...options
  }: OpenOptions & { unit: number; requestMs: number; onAnswer(): void },
): Promise<ModbusClient> {
  const shown = shownAddress(address);
  const over = Promise.withResolvers<ConnectionEnd>();
  const socket = connect({
    host: address.host,
    port: address.port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 5_000,
  });
  let end: ConnectionEnd | undefined;
  const finish = (how: ConnectionEnd): void => {
    end ??= how;
    socket.destroy();
  };
  const link = createLinks(socket, {
    onAnswer,
    onNonsense: (what) => finish({ kind: 'lost', reason: `${shown}: ${what}` }),
  });
  // The library takes any stream that tells when it is connected and closed.
  const make = () => new modbus.client.TCP(link() as unknown as Socket, unit, requestMs);
  const client = make();
  const urgent = make();
  await connected(socket, shown, AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]));
  socket.on('error', (error) => finish({ kind: 'lost', reason: `${shown}: ${error.message}` }));
  socket.on('end', () => finish({ kind: 'lost', reason: `${shown} ended the connection` }));
  socket.on('close', () => over.resolve(end ?? { kind: 'lost', reason: `${shown} is gone` }));
  return {
    ended: over.promise,
    end: finish,
    async read({ kind, address: at, count }) {
      const asked = {
        coil: () => client.readCoils(at, count),
        discrete: () => client.readDiscreteInputs(at, count),
        holding: () => client.readHoldingRegisters(at, count),
        input: () => client.readInputRegisters(at, count),
      }[kind]();
      const { response } = await asked;
      const values = Array.from<number | boolean, number>(response.body.valuesAsArray, Number).slice(
        0,
        count,
      );
      if (values.length < count) throw new Error(`${count} values were asked for, and ${values.length} came`);
      return values;
    },
    async write(register, words, isUrgent = false) {
      const [first = 0] = words;
      const by = isUrgent ? urgent : client;
      if (isBits(register)) await by.writeSingleCoil(register.address, first !== 0);
      else if (words.length === 1) await by.writeSingleRegister(register.address, first);
      else await by.writeMultipleRegisters(register.address, [...words]);
    },
    async whoIsThere() {
      try {
        const { response } = await client.readDeviceIdentification(1, 0);
        return [...response.body.objects]
          .sort((a, b) => a.id - b.id)
          .map(({ value }) => Buffer.from(value).toString('latin1'));
      } catch {
        return undefined; // an exception, or silence: most devices do not have it
      }
    },
  };
}

function connected(socket: Socket, shown: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      signal.removeEventListener('abort', abort);
      socket.destroy();
      reject(new AppError('unavailable', `no connection to ${shown}: ${why}`));
    };
    const abort = (): void => fail('it took too long, or was given up');
    const failed = (error: Error): void => fail(error.message);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    socket.once('error', failed);
    socket.once('connect', () => {
      signal.removeEventListener('abort', abort);
      socket.off('error', failed);
      resolve();
    });
  });
}
