import { execFile } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { promisify } from 'node:util';
import { errorCode } from '../processes/error-code.ts';

const execute = promisify(execFile);

/** Makes the FIFOs that an agent's launchers hold; once for all its starts. */
export async function makeFifos(paths: readonly string[]): Promise<void> {
  const missing = paths.filter((path) => !existsSync(path));
  if (missing.length > 0) await execute('mkfifo', ['-m', '600', '--', ...missing]);
}

export interface ExitWatch {
  close(): void;
}

/**
 * Tells what a launcher says, and when it is gone. Open it before the launch; of one that runs already call
 * `onGone` by yourself when it was gone before this was opened: then its end is never seen.
 */
export function watchExit(
  fifo: string,
  { onPid, onGone }: { onPid(pid: number): void; onGone(): void },
): ExitWatch {
  const fd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const socket = new Socket({ fd, readable: true, writable: false });
  let told = '';
  socket.setEncoding('latin1');
  socket.on('data', (text: string) => {
    told = (told + text).slice(-100);
    const pid = /pid (\d+)\n/.exec(told)?.[1];
    if (pid === undefined) return;
    told = '';
    onPid(Number(pid));
  });
  socket.once('end', onGone);
  socket.on('error', () => {}); // the poll sees what this does not
  socket.unref();
  return {
    close() {
      socket.off('end', onGone);
      socket.destroy();
    },
  };
}

/**
 * Whether a launcher holds the FIFO, and so will tell of an end. To be asked when it has told its pid: what it said and
 * nobody has read may be taken away by this.
 */
export function isHeld(fifo: string): boolean {
  let fd: number | undefined;
  try {
    fd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    return readSync(fd, Buffer.alloc(1)) > 0; // at its end at once: nobody can write any more
  } catch (error) {
    return errorCode(error) === 'EAGAIN'; // by anything else nobody is told
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
