import type { WebSocket } from 'ws';
import type { Principal } from '../../domain/auth/principal.ts';
import { every } from '../live/every.ts';
import type { Connection } from './socket.ts';

/** A subscriber that lets more than this pile up is dropped. */
const BACKLOG_BYTES = 8 * 1024 * 1024;
const PING_EVERY_MS = 20_000;
const REVOKED_WITHIN_MS = 500;

export function createConnection(ws: WebSocket): Connection {
  const closed = new AbortController();
  ws.once('close', () => closed.abort());
  const close = (code: number, reason: string) => {
    ws.close(code, reason);
    // A client that does not read never answers the close.
    setTimeout(() => ws.terminate(), 2_000).unref();
  };
  const sendText = (frame: string) => {
    if (ws.readyState !== ws.OPEN) return;
    if (ws.bufferedAmount > BACKLOG_BYTES) return close(1013, 'too slow: more than 8 MiB behind');
    ws.send(frame);
  };
  const onClosed = (callback: () => void) => {
    if (closed.signal.aborted) callback();
    else closed.signal.addEventListener('abort', callback, { once: true });
  };
  return { send: (frame) => sendText(JSON.stringify(frame)), sendText, close, onClosed };
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
