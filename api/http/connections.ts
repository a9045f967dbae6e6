import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { createRoom, type RoomLimits } from '../../domain/room.ts';
import type { Logger } from '../../logs.ts';
import { addressKey } from '../auth/limits.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Requests that a client may send ahead of their answers on one connection; browsers and proxies send none. */
const PIPELINED = 64;
const TELL_EVERY_MS = 10_000;

/**
 * Holds the connections of a server to limits. Connections without a request under way (half-open ones, kept ones)
 * are closed, the oldest first, to let others in; those that work, and WebSockets, never are.
 */
export function limitConnections({ limits, log }: { limits: RoomLimits; log: Logger }) {
  // By the client's address and port: of TLS a request shows another socket than the one that was accepted.
  const room = createRoom<string>(limits);
  const sockets = new Map<string, Socket>();
  const working = new Map<string, number>();
  const tell = tellNowAndThen((closed) =>
    log.warn({ closed, open: room.size(), ...limits }, 'too many connections'),
  );
  const keyOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;

  function begin(key: string): number {
    const count = (working.get(key) ?? 0) + 1;
    working.set(key, count);
    room.busy(key);
    return count;
  }
  function end(key: string): void {
    if (!sockets.has(key)) return;
    const count = (working.get(key) ?? 1) - 1;
    working.set(key, count);
    if (count === 0) room.idle(key);
  }

  return {
    counted:
      (handler: Handler): Handler =>
      (request, response) => {
        const { socket } = request;
        if (socket.destroyed) return;
        const key = keyOf(socket);
        if (begin(key) > PIPELINED) return void socket.destroy();
        response.once('close', () => end(key));
        handler(request, response);
      },

    attach(server: Server): void {
      server.on('connection', (socket: Socket) => {
        if (socket.remoteAddress === undefined) return void socket.destroy(); // it is gone already
        const key = keyOf(socket);
        sockets.set(key, socket);
        socket.once('close', () => {
          sockets.delete(key);
          working.delete(key);
          room.leave(key);
        });
        const leaving = room.enter(key, addressKey(socket.remoteAddress));
        if (leaving === undefined) return;
        sockets.get(leaving)?.destroy();
        tell();
      });
      server.on('upgrade', (request: IncomingMessage) => begin(keyOf(request.socket)));
    },
  };
}

/** Many files are open besides: the database's, Temporal's, logs, modules. */
const OTHER_FILES = 250;

/** The limit, or what the system lets this process have if that is less. */
export function affordable(wanted: number): number {
  if (!process.report) return wanted;
  // As Node documents it; without the network part it looks up no names.
  const report = Object.assign(process.report, { excludeNetwork: true }).getReport() as unknown as {
    userLimits?: { open_files?: { soft: unknown } };
  };
  const { userLimits } = report;
  const files = Number(userLimits?.open_files?.soft);
  return Number.isFinite(files) ? Math.max(1, Math.min(wanted, files - OTHER_FILES)) : wanted;
}

function tellNowAndThen(say: (count: number) => void): () => void {
  let count = 0;
  let saidAt = 0;
  return () => {
    count += 1;
    if (performance.now() - saidAt < TELL_EVERY_MS && saidAt !== 0) return;
    say(count);
    count = 0;
    saidAt = performance.now();
  };
}
