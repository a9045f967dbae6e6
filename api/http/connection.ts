import type { Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Principal } from '../../domain/auth/principal.ts';
import { every } from '../live/every.ts';
import type { Connection } from './socket.ts';

/** A subscriber that lets more than this pile up is dropped. */
const BACKLOG_BYTES = 8 * 1024 * 1024;
const PING_EVERY_MS = 20_000;
const REVOKED_WITHIN_MS = 500;
/** Frames of a client, control frames included: it has little to say, and each costs an answer or a parse. */
const FRAMES_AT_ONCE = 500;
const FRAMES_PER_SECOND = 50;

/** @param stream what carries the socket's frames */
export function createConnection(ws: WebSocket, stream: Writable): Connection {
  const closed = new AbortController();
  ws.once('close', () => closed.abort());
  const close = (code: number, reason: string) => {
    ws.close(code, reason);
    // A client that does not read never answers the close.
    setTimeout(() => ws.terminate(), 2_000).unref();
  };
  const sendText = (frame: string | Buffer) => {
    if (ws.readyState !== ws.OPEN) return;
    if (ws.bufferedAmount > BACKLOG_BYTES) return close(1013, 'too slow: more than 8 MiB behind');
    if (typeof frame === 'string') ws.send(frame);
    // Without compression `ws` writes each frame as a whole, at once: one more may stand between any two.
    else stream.write(framed(frame));
  };
  const onClosed = (callback: () => void) => {
    if (closed.signal.aborted) callback();
    else closed.signal.addEventListener('abort', callback, { once: true });
  };
  const onText = (callback: (frame: string) => void) =>
    ws.on('message', (data, isBinary) => {
      if (!isBinary) callback(String(data));
    });
  return {
    send: (frame) => sendText(JSON.stringify(frame)),
    sendText,
    waitingBytes: () => ws.bufferedAmount,
    onText,
    close,
    onClosed,
  };
}

const frames = new WeakMap<Buffer, Buffer>();

/** A text message as one frame, made once for all who are sent these bytes: half of what sending one costs. */
function framed(text: Buffer): Buffer {
  const known = frames.get(text);
  if (known) return known;
  const frame = Buffer.concat([headerOf(text.length), text]);
  frames.set(text, frame);
  return frame;
}

/** RFC 6455, 5.2: FIN and the opcode of text, no mask, then the length in 7 bits, 16 bits or 64 bits. */
function headerOf(length: number): Buffer {
  const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  header[0] = 0x81;
  header[1] = length < 126 ? length : length < 65_536 ? 126 : 127;
  if (header.length === 4) header.writeUInt16BE(length, 2);
  if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}

/** Answers pings and holds a client to the frames that it may send; the server must not answer pings itself. */
export function limitFrames(ws: WebSocket): void {
  let left = FRAMES_AT_ONCE;
  let countedAt = performance.now();
  const count = (): boolean => {
    const now = performance.now();
    left = Math.min(FRAMES_AT_ONCE, left + ((now - countedAt) / 1000) * FRAMES_PER_SECOND) - 1;
    countedAt = now;
    if (left >= 0) return true;
    ws.close(1008, 'too many frames');
    // What it sends from here on is not even looked at.
    ws.pause();
    setTimeout(() => ws.terminate(), 1_000).unref();
    return false;
  };
  ws.on('message', count);
  ws.on('pong', count);
  ws.on('ping', (data) => {
    // Pongs that are not read would pile up.
    if (count() && ws.readyState === ws.OPEN && ws.bufferedAmount < BACKLOG_BYTES) ws.pong(data);
  });
}

/** Pings all sockets, ends those that do not answer, and those whose login was revoked. */
export function watchSockets(authenticator: { isValid(user: Principal): Promise<boolean> }) {
  const users = new Map<WebSocket, { user: Principal; answered: boolean }>();

  const ping = setInterval(() => {
    for (const [ws, state] of users) {
      if (!state.answered) ws.terminate();
      state.answered = false;
      ws.ping();
    }
  }, PING_EVERY_MS);

  async function endRevoked(): Promise<void> {
    const check = async ([ws, { user }]: [WebSocket, { user: Principal }]) => {
      if (!(await authenticator.isValid(user))) ws.close(1008, 'the login was revoked');
    };
    await Promise.all([...users].map(check));
  }
  // While the database is away nobody is revoked; the next round asks again.
  const revoking = every(REVOKED_WITHIN_MS, endRevoked, () => {});

  return {
    add(ws: WebSocket, user: Principal) {
      const state = { user, answered: true };
      users.set(ws, state);
      ws.on('pong', () => {
        state.answered = true;
      });
      ws.once('close', () => users.delete(ws));
    },
    stop() {
      clearInterval(ping);
      revoking.stop();
    },
  };
}
