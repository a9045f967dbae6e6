import { connect, type Socket } from 'node:net';
import { AppError } from '../../../domain/errors.ts';
import { shownAddress, type TcpAddress } from '../../../domain/myntrix/device-address.ts';
import type { ConnectionEnd, OpenOptions, Transport } from '../port.ts';
import { createWriteQueue } from '../write-queue.ts';

/** @throws AppError unavailable: refused, not there, or not within the time */
export async function openTcp(address: TcpAddress, { signal, timeoutMs }: OpenOptions): Promise<Transport> {
  const socket = await connected(address, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
  const over = Promise.withResolvers<ConnectionEnd>();
  const queue = createWriteQueue(
    (bytes) =>
      new Promise((resolve, reject) => socket.write(bytes, (error) => (error ? reject(error) : resolve()))),
  );
  let end: ConnectionEnd | undefined;
  const finish = (how: ConnectionEnd): void => {
    if (end) return;
    end = how;
    queue.end(how.kind === 'lost' ? how.reason : `${shownAddress(address)} was closed`);
    socket.destroy();
  };
  socket.on('error', (error) =>
    finish({ kind: 'lost', reason: `${shownAddress(address)}: ${error.message}` }),
  );
  socket.on('end', () => finish({ kind: 'lost', reason: `${shownAddress(address)} ended the connection` }));
  socket.on('close', () => {
    finish({ kind: 'lost', reason: `${shownAddress(address)} is gone` });
    over.resolve(end ?? { kind: 'closed' });
  });
  return {
    address,
    mocked: false,
    write: queue.push,
    async overtake(bytes) {
      // What waits here goes; what is with the operating system cannot be called back, and goes first.
      void queue.drop(0);
      socket.write(bytes);
      await Promise.resolve();
    },
    onData: (listener) => void socket.removeAllListeners('data').on('data', listener),
    ended: over.promise,
    async close() {
      finish({ kind: 'closed' });
      await over.promise;
    },
  };
}

function connected(address: TcpAddress, signal: AbortSignal): Promise<Socket> {
  const { host, port } = address;
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 5_000 });
    const fail = (why: string): void => {
      signal.removeEventListener('abort', abort);
      socket.destroy();
      reject(new AppError('unavailable', `no connection to ${shownAddress(address)}: ${why}`));
    };
    const abort = (): void => fail('it took too long, or was given up');
    const failed = (error: Error): void => fail(error.message);
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener('abort', abort, { once: true });
    socket.once('error', failed);
    socket.once('connect', () => {
      signal.removeEventListener('abort', abort);
      socket.off('error', failed);
      resolve(socket);
    });
  });
}
