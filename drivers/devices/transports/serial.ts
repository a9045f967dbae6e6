import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { SerialPort } from 'serialport';
import { AppError } from '../../../domain/errors.ts';
import { type SerialAddress, shownAddress } from '../../../domain/myntrix/device-address.ts';
import type { ConnectionEnd, OpenOptions, Transport } from '../port.ts';
import { createWriteQueue } from '../write-queue.ts';
import { findByUsbSerial } from './serial-ports.ts';

/** What is being written when an emergency comes is over soon: the port was emptied for it. */
const REST_MS = 20;
const WATCH_MS = 500;
const TAKEN = 'is in use by another program';
const TIMES = 6;
const AGAIN_MS = 100;

/** @throws AppError unavailable: no such port, taken by somebody else, or no right to it */
export async function openSerial(
  address: SerialAddress,
  { signal, timeoutMs }: OpenOptions,
): Promise<Transport> {
  const path = address.path ?? (await findByUsbSerial(address.usbSerial ?? ''));
  const port = await openedAtLast(address, path, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
  const over = Promise.withResolvers<ConnectionEnd>();
  const queue = createWriteQueue(
    (bytes) =>
      new Promise((resolve, reject) => port.write(bytes, (error) => (error ? reject(error) : resolve()))),
  );
  const flush = (): Promise<void> =>
    new Promise((resolve, reject) => port.flush((error) => (error ? reject(error) : resolve())));
  let end: ConnectionEnd | undefined;
  const finish = (how: ConnectionEnd): void => {
    if (end) return;
    end = how;
    clearInterval(watch);
    queue.end(how.kind === 'lost' ? how.reason : `${path} was closed`);
    if (port.isOpen)
      port.close(() => {}); // 'close' tells
    else over.resolve(end);
  };
  // serialport does not always tell that a device was unplugged: a read that gives nothing is tried again for ever.
  const watch = setInterval(
    () =>
      // On Windows a port has no file; there reads do fail.
      process.platform !== 'win32' &&
      void stat(path).catch(() =>
        finish({ kind: 'lost', reason: `${path} is gone: the device was unplugged` }),
      ),
    WATCH_MS,
  );
  watch.unref();
  port.on('error', (error) => finish({ kind: 'lost', reason: `${path}: ${error.message}` }));
  port.on('close', (error: Error | null) => {
    finish({ kind: 'lost', reason: `${path} is gone${error ? `: ${error.message}` : ''}` });
    over.resolve(end ?? { kind: 'closed' });
  });
  return {
    address,
    mocked: false,
    write: queue.push,
    async overtake(bytes) {
      const rest = queue.drop(REST_MS);
      await flush(); // makes room, so that what is being written is taken at once…
      await rest;
      await flush(); // …and goes as well
      await new Promise<void>((resolve, reject) =>
        port.write(bytes, (error) => (error ? reject(error) : resolve())),
      );
    },
    onData: (listener) => void port.removeAllListeners('data').on('data', listener),
    ended: over.promise,
    async close() {
      finish({ kind: 'closed' });
      await over.promise;
    },
  };
}

/** The system frees a port a moment after it was closed: one that is taken is tried again for a while. */
async function openedAtLast(address: SerialAddress, path: string, signal: AbortSignal): Promise<SerialPort> {
  for (let time = 1; ; time++)
    try {
      return await opened(address, path, signal);
    } catch (error) {
      const isTaken = error instanceof AppError && error.message.includes(TAKEN);
      if (!isTaken || time === TIMES || signal.aborted) throw error;
      await delay(AGAIN_MS);
    }
}

async function opened(address: SerialAddress, path: string, signal: AbortSignal): Promise<SerialPort> {
  const { baud, dataBits, stopBits, parity, rtscts } = address;
  const port = new SerialPort({
    path,
    baudRate: baud,
    dataBits,
    stopBits,
    parity,
    rtscts,
    autoOpen: false,
    highWaterMark: 65_536,
  });
  const opening = new Promise<void>((resolve, reject) =>
    port.open((error) => (error ? reject(error) : resolve())),
  );
  const given = Promise.withResolvers<never>();
  const abort = (): void => given.reject(new Error('it took too long, or was given up'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    if (signal.aborted) abort();
    await Promise.race([opening, given.promise]);
    return port;
  } catch (error) {
    // It may still open, and nobody would want it.
    void opening.then(() => port.close(() => {})).catch(() => {});
    throw new AppError('unavailable', `${shownAddress(address)} cannot be opened: ${meaning(error, path)}`);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** The binding's texts, with what one can do. */
function meaning(error: unknown, path: string): string {
  const text = error instanceof Error ? error.message.replace(/^Error:? */, '') : String(error);
  if (/lock port|busy/i.test(text)) return `${path} ${TAKEN} (${text})`;
  if (/permission/i.test(text))
    return `${text}; the user of this host needs the group of ${path}, such as dialout`;
  if (/no such file/i.test(text)) return `there is no port ${path} on this host (is it plugged in?)`;
  return text;
}
