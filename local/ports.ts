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
 * A free port of 127.0.0.1 below the range from which systems take the ports of outgoing connections, so
 * that it stays free while the part that listens on it is started again.
 */
export async function freePort(taken: Set<number> = new Set()): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = randomInt(LOW, HIGH);
    if (taken.has(port) || (await portProblem(port, '127.0.0.1'))) continue;
    taken.add(port);
    return port;
  }
  throw new Error(`no free port between ${LOW} and ${HIGH} on 127.0.0.1`);
}
