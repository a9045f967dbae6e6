import { WebSocket } from 'ws';
import { withInstallation } from './installation.ts';
import { latenciesOf } from './latencies.ts';
import { percentile, tenths } from './percentile.ts';
import { peakMb, residentMb } from './resident.ts';

/**
 * Many WebSocket clients on one busy run: how long a change takes to each of them, as bench/live.ts measures it, and
 * how much more memory the API has at its peak than before they came. Prints one JSON line.
 *
 * The clients are all in this process, which takes its share of the machine: what is measured is both together.
 */
const CLIENTS = 500;
const LIMIT_MS = 250;
const LIMIT_MB = 100;
const ROUNDS = 100;
const OPENING_MS = 15_000;

const steps = [
  { connect: { wait: { milliseconds: OPENING_MS } } },
  {
    loop: {
      for: { in: JSON.stringify(Array.from({ length: ROUNDS }, (_, index) => index)) },
      do: [{ pause: { wait: { milliseconds: 100 } } }],
    },
  },
];

/** Wall clock with fractions of a millisecond. */
const now = () => performance.timeOrigin + performance.now();

await withInstallation(
  async ({ stack, token, call }) => {
    const workflow = { name: 'bench watchers', steps };
    const { id } = await call<{ id: string }>('POST', '/api/neosyntis/workflows', workflow);
    const { run_id } = await call<{ run_id: string }>('POST', `/api/neosyntis/workflows/${id}/trigger`, {});
    const url = `${stack.apiUrl.replace('http', 'ws')}/ws/neosyntis/runs/${run_id}?after=0`;
    const pid = stack.part('api').pid ?? 0;
    const beforeMb = residentMb(pid);
    const startedAt = now();
    const watching: Promise<Latencies>[] = [];
    // A few at a time, as people come.
    for (let count = 0; count < CLIENTS; count += 20) {
      const opened = Array.from({ length: Math.min(20, CLIENTS - count) }, () => watch(url, token));
      await Promise.all(opened.map(({ open }) => open));
      watching.push(...opened.map(({ ended }) => ended));
    }
    const openedMs = Math.round(now() - startedAt);
    if (openedMs > OPENING_MS) throw new Error(`opening ${CLIENTS} clients took ${openedMs} ms`);
    const all = await Promise.all(watching);
    const latencies = all.flatMap(({ latencies }) => latencies);
    const frames = new Set(all.map(({ frames }) => frames));
    const grownMb = peakMb(pid) - beforeMb;
    const at = (share: number) => tenths(percentile(latencies, share));
    const ok = at(0.99) <= LIMIT_MS && grownMb <= LIMIT_MB && frames.size === 1;
    const figures = { p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1), limit_p99_ms: LIMIT_MS };
    const memory = { api_rss_mb: beforeMb, api_rss_growth_mb: grownMb, limit_growth_mb: LIMIT_MB };
    const load = { clients: CLIENTS, frames_each: [...frames], measured: latencies.length };
    console.log(JSON.stringify({ bench: 'watchers', ok, ...figures, ...memory, ...load }));
    process.exitCode = ok ? 0 : 1;
  },
  { env: { VAREON_MAX_SOCKETS_PER_USER: String(CLIENTS) } },
);

interface Latencies {
  frames: number;
  latencies: number[];
}

/** Frames are looked into when all is over: reading them takes as long as sending them. */
function watch(url: string, token: string): { open: Promise<void>; ended: Promise<Latencies> } {
  const socket = new WebSocket(url, { headers: { Authorization: `Bearer ${token}` } });
  const arrivals: { at: number; data: Buffer }[] = [];
  let openAt = Number.POSITIVE_INFINITY;
  const open = new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('open', () => {
      openAt = now();
      resolve();
    });
  });
  const ended = new Promise<Latencies>((resolve) => {
    socket.on('message', (data: Buffer) => {
      arrivals.push({ at: now(), data });
      if (data.includes('"type":"run"') && data.includes('"status":"completed"')) socket.close();
    });
    socket.on('close', () => resolve({ frames: arrivals.length, latencies: latenciesOf(arrivals, openAt) }));
  });
  return { open, ended };
}
