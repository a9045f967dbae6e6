import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type WebSocket, WebSocketServer } from 'ws';
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
async function openSilent(): Promise<{ ws: WebSocket; raw: RawConnection }> {
  const accepted = once(sockets, 'connection');
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const raw = await upgradeRaw(`http://127.0.0.1:${port}`, '/', 'x');
  raw.socket.pause();
  const [ws] = (await accepted) as [WebSocket]; // as ws documents the event
  return { ws, raw };
}

const untilClosed = (ws: WebSocket) =>
  until(
    async () => ws.readyState,
    (state) => state === ws.CLOSED,
    60_000,
  );

test('A client that does not read is dropped when 8 MiB wait for it', async () => {
  const { ws, raw } = await openSilent();
  const connection = createConnection(ws);
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
