import { fork } from 'node:child_process';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { withInstallation } from './installation.ts';
import { percentile, tenths } from './percentile.ts';
import { cpuMs } from './processor.ts';

/**
 * One device on a host at 1,000 readings a second, told to 50 WebSocket clients: how long a reading takes from the
 * device's socket to each client, whether all come, and what it costs the API, beside a bare `ws` server that sends
 * each reading to as many. Prints one JSON line.
 *
 * - Start: when the device (this process) writes the reading's line. It goes to the worker host over TCP.
 * - End: the callback of `ws` for its frame, before it is parsed, in this process. All clocks are this machine's.
 * - Processor time of the API's process, which carries the broker as well, by /proc.
 */
const option = (name: string, otherwise: number): number => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const RATE = option('rate', 1_000);
const CLIENTS = option('clients', 50);
const SECONDS = option('seconds', 30);
const LIMIT_MS = 50;
const LIMIT_PERCENT = 10;

/** A device that writes `{"n": 0}`, `{"n": 1}` … to whoever connects to it. */
async function startDevice() {
  let reader: Socket | undefined;
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    socket.on('error', () => {});
    reader = socket;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port, // it listens on TCP
    /** Writes readings at the rate, and gives when each was written. */
    async speak(): Promise<Float64Array> {
      const writtenAt = new Float64Array(RATE * SECONDS);
      const beganAt = performance.now();
      for (let n = 0; n < writtenAt.length; ) {
        await delay(1);
        const due = Math.min(writtenAt.length, ((performance.now() - beganAt) / 1_000) * RATE);
        for (; n < due; n++) {
          writtenAt[n] = performance.now();
          reader?.write(`{"n":${n}}\n`);
        }
      }
      return writtenAt;
    },
    close: () => {
      reader?.destroy();
      server.close();
    },
  };
}

interface Arrival {
  at: number;
  data: Buffer;
}

async function openClients(url: string, token: string) {
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const socket = new WebSocket(url, { headers: { Authorization: `Bearer ${token}` } });
      const arrivals: Arrival[] = [];
      socket.on('message', (data: Buffer) => arrivals.push({ at: performance.now(), data }));
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
      return { socket, arrivals };
    }),
  );
  return {
    /** Waits for the last reading to be there, or for the time that it has. */
    async settle(last: number): Promise<void> {
      const until = performance.now() + 10_000;
      const ends = `"value":${last}`;
      const isThere = ({ arrivals }: { arrivals: Arrival[] }) =>
        arrivals.slice(-20).some(({ data }) => data.includes(ends) || data.includes(`{"n":${last}}`));
      while (performance.now() < until && !clients.every(isThere)) await delay(100);
    },
    /** The latencies of all readings at all clients, and what is not right. */
    judge(writtenAt: Float64Array, valuesOf: (data: Buffer) => number[]) {
      const latencies: number[] = [];
      let missing = 0;
      let repeated = 0;
      for (const { arrivals } of clients) {
        const seen = new Uint8Array(writtenAt.length);
        for (const { at, data } of arrivals)
          for (const n of valuesOf(data)) {
            if (seen[n]) repeated++;
            seen[n] = 1;
            latencies.push(at - (writtenAt[n] ?? Number.NaN));
          }
        missing += seen.reduce((sum, one) => sum + 1 - one, 0);
      }
      return { latencies, missing, repeated };
    },
    close: () => {
      for (const { socket } of clients) socket.terminate();
    },
  };
}

async function percentOfCore<T>(
  pid: number,
  work: () => Promise<T>,
): Promise<{ percent: number; result: T }> {
  const before = cpuMs(pid);
  const beganAt = performance.now();
  const result = await work();
  return { result, percent: tenths(((cpuMs(pid) - before) / (performance.now() - beganAt)) * 100) };
}

/** The same device's readings by a server that does nothing but send each to all. */
async function bare(): Promise<object> {
  const device = await startDevice();
  const child = fork(fileURLToPath(new URL('bare-ws.ts', import.meta.url)), [String(device.port)]);
  const port = await new Promise<number>((resolve) =>
    child.once('message', (message) => resolve(Number(message))),
  );
  const clients = await openClients(`ws://127.0.0.1:${port}`, 'none');
  try {
    const { result, percent } = await percentOfCore(child.pid ?? 0, async () => {
      const writtenAt = await device.speak();
      await clients.settle(writtenAt.length - 1);
      return writtenAt;
    });
    const { latencies, missing } = clients.judge(result, (data) => [JSON.parse(String(data)).n]);
    return {
      bare_percent_of_core: percent,
      bare_p50_ms: tenths(percentile(latencies, 0.5)),
      bare_p99_ms: tenths(percentile(latencies, 0.99)),
      bare_missing: missing,
    };
  } finally {
    clients.close();
    device.close();
    child.kill();
  }
}

interface Frame {
  type: string;
  seq: number;
  from_seq?: number;
  readings?: { value: number }[];
}

await withInstallation(
  async ({ stack, token, call }) => {
    const device = await startDevice();
    const { id } = await call<{ id: string }>('POST', '/api/myntrix/devices', {
      name: 'bench',
      type: 'json-lines',
      connectionString: `tcp://127.0.0.1:${device.port}`,
    });
    await call('POST', `/api/myntrix/devices/${id}/connect`);
    while ((await call<{ status: string }>('GET', `/api/myntrix/devices/${id}`)).status !== 'connected')
      await delay(100);
    const clients = await openClients(
      `${stack.apiUrl.replace('http', 'ws')}/ws/myntrix/telemetry/${id}`,
      token,
    );
    await delay(1_000);
    const pid = stack.part('api').pid ?? 0;
    const { percent: idle } = await percentOfCore(pid, () => delay(5_000));
    const { result: writtenAt, percent } = await percentOfCore(pid, async () => {
      const written = await device.speak();
      await clients.settle(written.length - 1);
      return written;
    });
    const { latencies, missing, repeated } = clients.judge(writtenAt, (data) => {
      const { type, readings = [] } = JSON.parse(String(data)) as Frame; // a frame of our own API
      return type === 'telemetry' ? readings.map(({ value }) => value) : [];
    });
    clients.close();
    device.close();
    const peer = process.argv.includes('--no-peer') ? {} : await bare();
    const at = (share: number) => tenths(percentile(latencies, share));
    const ok = missing + repeated === 0 && at(0.99) <= LIMIT_MS && percent <= LIMIT_PERCENT;
    const figures = { p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1), limit_p99_ms: LIMIT_MS };
    const cost = { api_percent_of_core: percent, limit_percent: LIMIT_PERCENT, idle_percent_of_core: idle };
    const load = { readings: writtenAt.length, clients: CLIENTS, missing, repeated };
    console.log(JSON.stringify({ bench: 'telemetry-live', ok, ...figures, ...cost, ...load, ...peer }));
    process.exitCode = ok ? 0 : 1;
  },
  { env: { VAREON_MAX_SOCKETS_PER_USER: String(CLIENTS + 10) } },
);
