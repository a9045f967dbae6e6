import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { Stack } from '../../local/stack.ts';
import { createClient } from '../support/client.ts';

export interface Flood {
  connections: number;
  /** Still open when all were made. */
  held: number;
  rssBeforeMb: number;
  rssDuringMb: number;
  rssAfterMb: number;
  /** Of another client's requests meanwhile. */
  answers: { count: number; failed: number; p50Ms: number; p99Ms: number };
}

const HOLD_MS = 4_000;
const AT_ONCE = 500;

/** Opens connections that begin a request and never finish it, and asks for something else meanwhile. */
export async function floodHttp(stack: Stack, connections: number, addresses: number): Promise<Flood> {
  const { hostname, port } = new URL(stack.apiUrl);
  return flood(stack, connections, (index) => {
    const from = addresses > 1 ? { localAddress: `127.0.0.${2 + (index % addresses)}` } : {};
    return {
      socket: connect({ host: hostname, port: Number(port), ...from }),
      says: 'GET /health HTTP/1.1\r\nHost: x\r\nX-',
    };
  });
}

/** The same against the embedded broker; every second connection says nonsense, the others nothing. */
export async function floodBroker(stack: Stack, connections: number): Promise<Flood> {
  const { hostname, port } = new URL(stack.busUrl);
  return flood(stack, connections, (index) => ({
    socket: connect({ host: hostname, port: Number(port) }),
    // A login that announces 256 MB, random bytes, nothing.
    says: [Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f, 0, 4, 77, 81]), randomBytes(64), undefined][index % 3],
  }));
}

type Opened = { socket: Socket; says: string | Buffer | undefined };

async function flood(stack: Stack, connections: number, open: (index: number) => Opened): Promise<Flood> {
  const pid = stack.part('api').pid;
  const api = createClient(stack.apiUrl);
  const took: number[] = [];
  let failed = 0;
  let isOver = false;
  const asking = (async () => {
    while (!isOver) {
      const startedAt = performance.now();
      const { status } = await api('GET', '/ready').catch(() => ({ status: 0 }));
      if (status !== 200) failed += 1;
      took.push(performance.now() - startedAt);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();

  const rssBeforeMb = rssMb(pid);
  const sockets = new Set<Socket>();
  for (let made = 0; made < connections; made += AT_ONCE)
    await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, connections - made) }, (_, index) => {
        const { socket, says } = open(made + index);
        return opened(socket, says, sockets);
      }),
    );
  const held = sockets.size;
  const rssDuringMb = rssMb(pid);
  await new Promise((resolve) => setTimeout(resolve, HOLD_MS));
  for (const socket of sockets) socket.destroy();
  isOver = true;
  await asking;
  took.sort((a, b) => a - b);
  const at = (share: number) =>
    Math.round(took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? 0);
  return {
    connections,
    held,
    rssBeforeMb,
    rssDuringMb,
    rssAfterMb: rssMb(pid),
    answers: { count: took.length, failed, p50Ms: at(0.5), p99Ms: at(0.99) },
  };
}

function opened(socket: Socket, says: string | Buffer | undefined, sockets: Set<Socket>): Promise<void> {
  return new Promise((resolve) => {
    socket.once('connect', () => {
      sockets.add(socket);
      if (says !== undefined) socket.write(says);
      resolve();
    });
    socket.on('error', () => resolve()); // refused or cut off, which is what the limits are for
    socket.once('close', () => sockets.delete(socket));
  });
}

const rssMb = (pid: number | undefined): number =>
  Math.round(Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1024);
