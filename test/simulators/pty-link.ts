import { existsSync, mkdtempSync, readSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ReadStream } from 'node:tty';
import { bytesWithin, type Link, TICK_MS } from './link.ts';

interface Native {
  open(columns: number, rows: number): { master: number; slave: number; pty: string };
}
/** The package's own `open` reads from both ends, and would take what is meant for whoever opens the slave. */
const native = (): Native =>
  // Not in its types: how the package itself finds what it was compiled to.
  createRequire(import.meta.url)('@lydell/node-pty/requireBinary.js').requireBinary('pty.node') as Native;

/** Everybody may write here, and serial ports are below /dev. */
const LINKS = '/dev/shm';

function linkTo(pty: string): { path: string; unplug(): void } {
  if (!existsSync(LINKS)) return { path: pty, unplug() {} };
  const folder = mkdtempSync(join(LINKS, 'vareon-simulated-'));
  const path = join(folder, 'tty');
  symlinkSync(pty, path);
  const unplug = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', unplug);
  return { path, unplug };
}

/**
 * A pseudo-terminal whose slave is a serial port to whoever opens it, by a link of its own where there is a place for
 * one: numbers of pseudo-terminals are given again, and who still waits for this one would find another one under it.
 * @param baud reads no faster than that, so that what was sent waits in the port as it would on a wire
 */
export function createPtyLink(baud: number | undefined): Link {
  const { master, slave, pty } = native().open(80, 24);
  const { path, unplug } = linkTo(pty);
  const ours = new ReadStream(master);
  const theirs = new ReadStream(slave);
  theirs.setRawMode(true); // no echo of what is said before anybody listens
  let listener = (_: Buffer): void => {};
  let isOpen = true;
  ours.on('error', () => {}); // EIO once it is disconnected
  theirs.on('error', () => {});
  if (baud === undefined) ours.on('data', (bytes: Buffer) => listener(bytes));
  else {
    ours.pause();
    const buffer = Buffer.alloc(bytesWithin(1_000, baud));
    let readAt = performance.now();
    const pace = setInterval(() => {
      if (!isOpen) return clearInterval(pace);
      const now = performance.now();
      const most = Math.min(buffer.length, bytesWithin(now - readAt, baud));
      readAt = now;
      try {
        const count = readSync(master, buffer, 0, most, null);
        if (count > 0) listener(Buffer.from(buffer.subarray(0, count)));
      } catch {
        // EAGAIN: nothing waits to be read
      }
    }, TICK_MS);
  }
  const end = (): void => {
    isOpen = false;
    unplug();
    ours.destroy();
    theirs.destroy();
  };
  return {
    address: `serial://${path}${baud === undefined ? '' : `?baud=${baud}`}`,
    onData: (next) => {
      listener = next;
    },
    onOpen() {},
    write: (bytes) => void (isOpen && ours.write(bytes)),
    disconnect: end,
    close: end,
  };
}
