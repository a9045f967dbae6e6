import type { IncomingMessage, Server } from 'node:http';
import type { Readable } from 'node:stream';

/** For all of a request, unless its route takes the time itself. */
const REQUEST_MS = 60_000;

const timers = new WeakMap<Readable, NodeJS.Timeout>();

/** Ends requests whose body takes too long, as Node's `requestTimeout` does for all alike. */
export function limitBodyTime(server: Server): void {
  server.on('request', (request: IncomingMessage) => {
    const { headers, socket } = request;
    if (headers['transfer-encoding'] === undefined && !Number(headers['content-length'])) return;
    const timer = setTimeout(() => {
      const error = Object.assign(new Error('the request took too long'), {
        code: 'ERR_HTTP_REQUEST_TIMEOUT',
      });
      server.emit('clientError', error, socket);
    }, REQUEST_MS);
    timers.set(request, timer);
    const over = () => clearTimeout(timer);
    request.once('end', over).once('close', over);
  });
}

/** Lets a body take longer: who reads it has limits of its own. */
export const takeTime = (body: Readable): void => clearTimeout(timers.get(body));
