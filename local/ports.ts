import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Why a port cannot be listened on, as an error code such as EADDRINUSE; undefined when it can. */
export function portProblem(port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

const LOW = 15_000;
const HIGH = 30_000;

/**
 * A port is listened on seconds after it was chosen, and not while its part is started again: installations that start
 * side by side choose from ports of their own, and one process none soon again.
 */
const SHARES = 100;
const SHARE = (HIGH - LOW) / SHARES;
const REMEMBERED = 100;
const chosen: number[] = [];

/**
 * A free port of 127.0.0.1 below the range from which systems take the ports of outgoing connections, so
 * that it stays free while the part that listens on it is started again.
 */
export async function freePort(taken: Set<number> = new Set()): Promise<number> {
  const own = LOW + (process.pid % SHARES) * SHARE;
  for (let attempt = 0; attempt < 400; attempt++) {
    // Where many of its own are taken, another one.
    const port = attempt < 200 ? own + randomInt(SHARE) : randomInt(LOW, HIGH);
    if (taken.has(port) || chosen.includes(port)) continue;
    chosen.push(port);
    if (chosen.length > REMEMBERED) chosen.shift();
    if (await portProblem(port, '127.0.0.1')) continue;
    taken.add(port);
    return port;
  }
  throw new Error(`no free port between ${LOW} and ${HIGH} on 127.0.0.1`);
}
