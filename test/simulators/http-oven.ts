import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { createFates, createOven, IDENTITY, type OvenOptions, obeyOven, type RunningOven } from './oven.ts';

/** An oven with a web server: `GET /info`, `GET /status`, `PUT /target {"value":60}`, `POST /command`, `POST /stop`. */
export async function startHttpOven({
  faults,
  record,
  port,
  login,
  speed,
}: OvenOptions): Promise<RunningOven> {
  const oven = createOven(speed, record);
  const fates = createFates(faults);
  const sockets = new Set<Socket>();

  function done(
    method: string,
    path: string,
    body: Record<string, unknown>,
  ): { status: number; said: object } {
    if (method === 'GET' && path === '/') return { status: 200, said: {} };
    if (method === 'GET' && path === '/info') return { status: 200, said: IDENTITY };
    if (method === 'GET' && path === '/status') return { status: 200, said: { oven: oven.state } };
    if (method === 'GET' && path === '/moved') return { status: 302, said: {} };
    const command =
      method === 'POST' && path === '/stop'
        ? { stop: true }
        : method === 'PUT' && path === '/target'
          ? { set: { target: body.value } }
          : method === 'POST' && path === '/command'
            ? body
            : undefined;
    if (!command) return { status: 404, said: { error: `there is no ${method} ${path}` } };
    const said = obeyOven(oven, command, record);
    return { status: 'error' in said && path === '/target' ? 422 : 200, said };
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString('utf8');
    const { method = '', url = '' } = request;
    const isRead = method === 'GET';
    if (!isRead) {
      record.bytes(text.length);
      record.received(`${method} ${url} ${text}`);
    }
    const wanted = login === undefined ? undefined : `Basic ${Buffer.from(login).toString('base64')}`;
    if (wanted !== undefined && request.headers.authorization !== wanted)
      return void send(response, 401, { error: 'login' });
    const fate = isRead ? 'done' : fates.ofCommand();
    if (fate === 'lost') return;
    const { status, said } =
      fate === 'refused' ? { status: 409, said: { error: 'not now' } } : done(method, url, objectOf(text));
    if (isRead) return void send(response, status, said);
    fates.ofAnswer((how) => {
      if (how === 'cut') request.socket.resetAndDestroy();
      else if (how === 'noise') request.socket.end(Buffer.from([0xff, 0xfe, 0x00, 0x7b, 0x0d, 0x0a]));
      else if (how === 'sent') send(response, status, said);
    });
  }

  const server = createServer(
    (request, response) => void handle(request, response).catch(() => response.destroy()),
  );
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}); // its end is what counts
    socket.on('close', () => sockets.delete(socket));
  });
  const listen = (at: number) =>
    new Promise<number>((resolve, reject) => {
      server.once('error', reject);
      server.listen(at, '127.0.0.1', () => {
        const address = server.address();
        resolve(typeof address === 'object' && address ? address.port : at);
      });
    });
  const bound = await listen(port);
  return {
    address: `http://127.0.0.1:${bound}`,
    say: () => {},
    /** Nobody listens any more. */
    disconnect() {
      server.close();
      for (const socket of sockets) socket.resetAndDestroy();
    },
    pause: fates.pause,
  };
}

function send(response: ServerResponse, status: number, said: object): void {
  const headers = { 'content-type': 'application/json', ...(status === 302 ? { location: '/status' } : {}) };
  response.writeHead(status, headers).end(JSON.stringify(said));
}

function objectOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}; // any keys
  } catch {
    return {};
  }
}
