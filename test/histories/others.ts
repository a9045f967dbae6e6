import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { serveHttp } from '../support/http-server.ts';
import { BUSY_MAILBOX } from './incidents.ts';

/** The servers of others that recorded runs talk to, on this machine. */
export async function serveOthers() {
  const http = await serveHttp();
  http.on('/openapi.json', (_request, response) =>
    response.end(
      JSON.stringify({
        openapi: '3.1.0',
        paths: {
          '/things/{id}': { get: { operationId: 'getThing', parameters: [{ name: 'id', in: 'path' }] } },
        },
      }),
    ),
  );
  const json = { 'content-type': 'application/json' };
  for (const path of ['/things', '/things/1', '/things/a%20b'])
    http.on(path, (_, response) => response.writeHead(200, json).end('{"name":"a thing"}'));
  http.on('/slow', () => {}); // it never answers
  http.on('/broken', ({ socket }) => socket.destroy());
  let hooks = 0;
  http.on('/hook', (_, response) => response.writeHead(hooks++ === 0 ? 503 : 200).end());

  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onRcptTo: ({ address }, _, callback) =>
      callback(
        address === BUSY_MAILBOX ? Object.assign(new Error('try later'), { responseCode: 451 }) : undefined,
      ),
    onData: (stream, _, callback) => {
      stream.on('end', () => callback());
      stream.resume();
    },
  });
  await new Promise<void>((resolve) => smtp.listen(0, '127.0.0.1', () => resolve()));
  const { port } = smtp.server.address() as AddressInfo; // it listens on TCP
  return {
    origin: http.origin,
    smtpUrl: `smtp://127.0.0.1:${port}`,
    async close() {
      await http.close();
      await new Promise<void>((resolve) => smtp.close(() => resolve()));
    },
  };
}
