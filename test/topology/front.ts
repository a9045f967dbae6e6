import { createServer, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * What stands before the replicas: each request goes to the next one, with the client's address added to
 * X-Forwarded-For; one that does not answer is passed over.
 */
export async function startFront(ports: readonly number[]): Promise<{ url: string; close(): Promise<void> }> {
  let turn = 0;
  const next = (): number => ports[turn++ % ports.length] ?? 0;

  const headersOf = ({ headers, socket }: IncomingMessage) => ({
    ...headers,
    'x-forwarded-for': [headers['x-forwarded-for'], socket.remoteAddress].flat().filter(Boolean).join(', '),
  });

  const server = createServer((incoming, answer) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => send(ports.length));
    function send(left: number): void {
      const { method, url } = incoming;
      const passed = request(
        { host: '127.0.0.1', port: next(), method, path: url, headers: headersOf(incoming), agent: false },
        (found) => {
          answer.writeHead(found.statusCode ?? 502, found.headers);
          found.pipe(answer);
        },
      );
      passed.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNREFUSED' && left > 1) return send(left - 1);
        if (!answer.headersSent) answer.writeHead(502);
        answer.end();
      });
      passed.end(Buffer.concat(chunks));
    }
  });

  server.on('upgrade', (incoming: IncomingMessage, client: Duplex, head: Buffer) => {
    const backend = connect({ host: '127.0.0.1', port: next() }, () => {
      const lines = Object.entries(headersOf(incoming)).map(([name, value]) => `${name}: ${value}`);
      backend.write(`GET ${incoming.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
      backend.write(head);
      client.pipe(backend).pipe(client);
    });
    backend.on('error', () => client.destroy());
    client.on('error', () => backend.destroy());
    client.on('close', () => backend.destroy());
    backend.on('close', () => client.destroy());
  });

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
