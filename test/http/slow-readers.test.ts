import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import { createConnection, limitFrames } from '../../api/http/connection.ts';
import { until } from '../support/client.ts';
import { frame, type RawConnection, upgradeRaw } from '../support/raw.ts';

let server: Server;
let sockets: WebSocketServer;

beforeAll(async () => {
  server = createServer();
  sockets = new WebSocketServer({ server, autoPong: false });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(async () => {
  for (const ws of sockets.clients) ws.terminate();
  await new Promise((resolve) => server.close(resolve));
});

/** A client that never reads what comes, and the server's side of it. */
async function openSilent(): Promise<{ ws: WebSocket; stream: Socket; raw: RawConnection }> {
  const accepted = once(sockets, 'connection');
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const raw = await upgradeRaw(`http://127.0.0.1:${port}`, '/', 'x');
  raw.socket.pause();
  const [ws, { socket }] = (await accepted) as [WebSocket, IncomingMessage]; // as ws documents the event
  return { ws, stream: socket, raw };
}

const untilClosed = (ws: WebSocket) =>
  until(
    async () => ws.readyState,
    (state) => state === ws.CLOSED,
    60_000,
  );

test('A client that does not read is dropped when 8 MiB wait for it', async () => {
  const { ws, stream, raw } = await openSilent();
  const connection = createConnection(ws, stream);
  const megabyte = { load: 'x'.repeat(1024 * 1024) };
  let most = 0;
  for (let sent = 0; sent < 60; sent++) {
    connection.send(megabyte);
    most = Math.max(most, ws.bufferedAmount);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(most).toBeGreaterThan(8 * 1024 * 1024);
  expect(most).toBeLessThan(11 * 1024 * 1024);
  await untilClosed(ws);
  raw.socket.destroy();
});

test('A client that pings and does not read is dropped before its answers pile up', async () => {
  const { ws, raw } = await openSilent();
  limitFrames(ws);
  const pings = Buffer.concat(Array.from({ length: 1_000 }, () => frame(0x89, Buffer.alloc(125))));
  for (let round = 0; round < 50 && raw.socket.writable; round++) raw.socket.write(pings);
  await untilClosed(ws);
  expect(ws.bufferedAmount).toBeLessThan(1024 * 1024);
  raw.socket.destroy();
});

test('Bytes that were made once for many clients arrive as text of any length, between what is sent otherwise', async () => {
  const accepted = once(sockets, 'connection');
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
  const seen: string[] = [];
  client.on('message', (data, isBinary) => seen.push(isBinary ? 'binary' : String(data)));
  const [ws, { socket }] = (await accepted) as [WebSocket, IncomingMessage]; // as ws documents the event
  const connection = createConnection(ws, socket);
  const lengths = [0, 1, 125, 126, 65_535, 65_536, 200_000];
  const texts = lengths.map((length) => 'é'.repeat(length / 2) + 'x'.repeat(length % 2));
  for (const text of texts) {
    connection.sendText(Buffer.from(text));
    connection.sendText(`then ${text.length}`);
  }
  await until(
    async () => seen.length,
    (count) => count === 2 * texts.length,
    60_000,
  );
  expect(seen).toEqual(texts.flatMap((text) => [text, `then ${text.length}`]));
  client.close();
  await untilClosed(ws);
});
