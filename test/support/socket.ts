import { WebSocket } from 'ws';

// biome-ignore lint/suspicious/noExplicitAny: tests look into frames of many shapes
export type Frame = Record<string, any>;

export interface TestSocket {
  frames: Frame[];
  /** The first frame, past or to come, for which this holds. */
  next(wanted: (frame: Frame) => boolean, deadlineMs?: number): Promise<Frame>;
  /** Calls back with each frame, those that have come first. */
  onFrame(callback: (frame: Frame) => void): void;
  closed: Promise<{ code: number; reason: string }>;
  send(frame: object): void;
  close(): void;
}

/** Opens a WebSocket with a bearer, or fails with the HTTP status of its refusal. */
export function openSocket(
  url: URL,
  token?: string,
  headers: Record<string, string> = {},
): Promise<TestSocket> {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(url, {
      headers: { ...(token ? { Authorization: `Bearer ${token}` } : {}), ...headers },
    });
    const frames: Frame[] = [];
    const waiting = new Set<() => void>();
    ws.on('message', (data) => {
      frames.push(JSON.parse(String(data)));
      for (const look of waiting) look();
    });
    const closed = new Promise<{ code: number; reason: string }>((done) => {
      ws.on('close', (code, reason) => done({ code, reason: String(reason) }));
    });
    ws.on('unexpected-response', (_request, response) => {
      reject(
        Object.assign(new Error(`refused with ${response.statusCode}`), { status: response.statusCode }),
      );
      response.resume();
    });
    ws.on('error', reject);
    ws.on('open', () =>
      resolve({
        frames,
        closed,
        send: (frame) => ws.send(JSON.stringify(frame)),
        close: () => ws.close(),
        onFrame(callback) {
          frames.forEach(callback);
          ws.on('message', () => callback(frames.at(-1) ?? {}));
        },
        next: (wanted, deadlineMs = 60_000) =>
          new Promise((found, failed) => {
            const timer = setTimeout(() => {
              waiting.delete(look);
              failed(
                new Error(
                  `no such frame within ${deadlineMs} ms; seen: ${JSON.stringify(frames).slice(0, 2000)}`,
                ),
              );
            }, deadlineMs).unref(); // nobody may await it to its end
            const look = () => {
              const frame = frames.find(wanted);
              if (!frame) return;
              clearTimeout(timer);
              waiting.delete(look);
              found(frame);
            };
            waiting.add(look);
            look();
          }),
      }),
    );
  });
}
