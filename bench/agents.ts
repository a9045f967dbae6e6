import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { procEntry } from '../drivers/processes/proc.ts';
import { type Peer, startPm2, startSupervisor } from './agents/others.ts';
import { crashes, createStamps } from './agents/stamps.ts';
import { type Installation, withInstallation } from './installation.ts';
import { percentile, tenths } from './percentile.ts';

/**
 * Agents, beside PM2 and supervisor in the same run: from a kill until the process runs again; from the request to start
 * one until it runs; what 200 cost their host; and what becomes of them when what supervises them is killed.
 */
const AGENTS = Number(process.argv[2] ?? 200);
const CRASHES = 30;
const IDLE_SECONDS = 30;
const goals = { adopted_crash_ms: 20, start_ms: 100, core_percent: 5, rss_mb: 300, adopted_within_ms: 3_000 };
const TICKS_PER_SECOND = 100;

interface Agent {
  id: string;
  status: string;
  pid: number | null;
}

const stamps = createStamps();
const half = (values: number[]) => tenths(percentile(values, 0.5));
const most = (values: number[]) => tenths(Math.max(...values));

async function others(start: (which: typeof stamps) => Promise<Peer>, count: number) {
  const peer = await start(stamps);
  try {
    const took = await peer.crashes(count);
    return { crash_p50_ms: half(took), crash_max_ms: most(took), killed: await peer.killed() };
  } finally {
    await peer.close();
  }
}

try {
  await withInstallation(measure);
} finally {
  stamps.close();
}

async function measure({ stack, call }: Installation): Promise<void> {
  const path = '/api/myntrix/agents';
  const list = () => call<Agent[]>('GET', `${path}?limit=${AGENTS}`);
  const host = () => stack.part('host').pid ?? 0;
  /** Of one core, over some seconds. */
  const load = async (): Promise<number> => {
    const before = procEntry(host())?.ticks ?? 0;
    await delay(IDLE_SECONDS * 1_000);
    return (((procEntry(host())?.ticks ?? 0) - before) / TICKS_PER_SECOND / IDLE_SECONDS) * 100;
  };
  const without = await load();

  const made: string[] = [];
  const started: number[] = [];
  for (let at = 0; at < AGENTS; at++) {
    const configuration = {
      command: stamps.program,
      args: [`ours-${at}`],
      backoff: { initialMs: 0 },
      maxRestarts: 1_000_000,
    };
    const { id } = await call<{ id: string }>('POST', path, { name: `agent ${at}`, configuration });
    made.push(id);
    const askedAt = performance.timeOrigin + performance.now();
    await call('POST', `${path}/${id}/start`);
    started.push((await stamps.next(`ours-${at}`, 0)).at - askedAt);
  }
  const own = await crashes(stamps, 'ours-0', CRASHES);

  await delay(10_000);
  const core = await load();
  const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${host()}/status`, 'utf8'))?.[1]) / 1_024;

  const before = new Map((await list()).map(({ id, pid }) => [id, pid]));
  const up = stack.part('host').nextUp();
  process.kill(host(), 'SIGKILL');
  await up;
  const upAt = performance.now();
  const isSame = ({ id, status, pid }: Agent) => status === 'running' && pid === before.get(id);
  let same = 0;
  while (performance.now() - upAt < 10 * goals.adopted_within_ms) {
    same = (await list()).filter(isSame).length;
    if (same === AGENTS) break;
  }
  const adoptedMs = performance.now() - upAt;
  const ours = { ran: AGENTS, adopted: same, second_copies: 0, after_up_ms: Math.round(adoptedMs) };
  for (let at = 0; at < AGENTS; at++)
    ours.second_copies += stamps.of(`ours-${at}`).length - (at === 0 ? 1 + CRASHES : 1);
  await delay(10_000);
  const adopted: number[] = []; // each once: after it, it is an own one
  for (let at = 1; at <= CRASHES; at++) adopted.push(...(await crashes(stamps, `ours-${at}`, 1)));

  for (const id of made) await call('DELETE', `${path}/${id}`);
  while ((await list()).length > 0) await delay(100);
  const pm2 = await others(startPm2, CRASHES);
  const supervisor = await others(startSupervisor, 5);
  const figures = {
    crash_p50_ms: half(own),
    crash_max_ms: most(own),
    adopted_crash_p50_ms: half(adopted),
    start_p50_ms: half(started),
    start_max_ms: most(started),
    host_core_percent: { without: tenths(without), with: tenths(core) },
    host_rss_mb: Math.round(rss),
    killed: ours,
  };
  const ok =
    figures.crash_p50_ms <= pm2.crash_p50_ms &&
    figures.adopted_crash_p50_ms <= goals.adopted_crash_ms &&
    figures.start_p50_ms <= goals.start_ms &&
    core - without <= goals.core_percent &&
    rss <= goals.rss_mb &&
    ours.adopted === AGENTS &&
    ours.second_copies === 0 &&
    adoptedMs <= goals.adopted_within_ms;
  console.log(JSON.stringify({ bench: 'agents', ok, ours: figures, pm2, supervisor, goals }));
  if (!ok) process.exitCode = 1;
}
