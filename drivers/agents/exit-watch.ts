import { execFile } from 'node:child_process';
import { constants, existsSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { promisify } from 'node:util';

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
