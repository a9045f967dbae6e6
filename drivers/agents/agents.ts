import { existsSync, rmSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentOrder, AgentReport } from '../../domain/myntrix/agent-reports.ts';
import type { HostEnvironment } from '../processes/environment.ts';
import { createFolders } from '../processes/folders.ts';
import { bootId } from '../processes/proc.ts';
import { findProgram, reachablePath } from '../processes/programs.ts';
import type { RunAs } from '../processes/run-as.ts';
import { createAttempts } from '../workflows/attempts.ts';
import { StaleOrder } from '../workflows/stale-order.ts';
import type { AgentContainers } from './containers.ts';
import { type Note, readNote } from './files.ts';
import type { Agents } from './port.ts';
import { createPrepare } from './prepare.ts';
import { createSupervised, type Supervised } from './supervised.ts';
import { createUsageReader } from './usage.ts';

export interface AgentsOptions {
  /** The host's own data folder (0700). One process at a time has it. */
  dataDir: string;
  hostName: string;
  /** Required when the host runs as root. */
  user: RunAs | undefined;
  hostEnvironment: HostEnvironment;
  /** What runs containers, where there is something. */
  containers?: AgentContainers | undefined;
  /** Of this machine, now: pids of another boot mean nothing. */
  boot?: string;
  warn: (message: string, error: unknown) => void;
}

/** Behind the watch on each process, which sees an end at once. */
const POLL_MS = 500;
const SAMPLE_MS = 2_000;

export async function createAgents(options: AgentsOptions): Promise<Agents> {
  const { dataDir, hostName, user, containers, warn, boot = bootId() } = options;
  if (process.getuid?.() === 0 && !user)
    throw new Error('agents do not run as root: give the user to run them as');
  const root = join(dataDir, 'agents');
  await mkdir(root, { recursive: true, mode: 0o700 });
  const folders = createFolders(`agents-${hostName}`, dataDir, user);
  const home = await folders.root();
  const PATH = await reachablePath(options.hostEnvironment.PATH, user);
  const [setsid, setpriv, flock] = await Promise.all(
    ['setsid', 'setpriv', 'flock'].map((program) => findProgram(program, PATH, user)),
  );
  const hostEnvironment = { ...options.hostEnvironment, PATH };
  const prepare = createPrepare({ home, root, hostEnvironment, user, containers, flock });
  const all = new Map<string, Supervised>();
  const listeners = new Set<(report: AgentReport) => void>();
  const readUsage = createUsageReader();

  function supervised(note: Note): Supervised {
    const agent = createSupervised({
      folder: join(root, note.order.id),
      note,
      helpers: { setsid, setpriv },
      user,
      boot,
      prepare,
      containers,
      changed: (report) => {
        for (const listener of listeners) listener(report);
      },
      warn,
    });
    all.set(note.order.id, agent);
    return agent;
  }

  async function make(order: AgentOrder): Promise<Supervised> {
    await mkdir(join(root, order.id), { recursive: true, mode: 0o700 });
    // Somebody else may have made it meanwhile.
    return (
      all.get(order.id) ??
      supervised({ order: { ...order, epoch: -1 }, wanted: 'stopped', restarts: [], restarted: 0, seq: 0 })
    );
  }

  function poll(): void {
    for (const agent of all.values()) {
      agent.poll();
      if (agent.pid() !== undefined)
        agent.trim().catch((error: unknown) => warn(`the output of agent ${agent.id}`, error));
    }
  }

  async function sample(): Promise<void> {
    // Of a container the engine's client uses nothing to speak of.
    const measured = (agent: Supervised) => agent.inner() ?? agent.pid();
    const pids = [...all.values()].map(measured).filter((pid) => pid !== undefined);
    if (pids.length === 0) return;
    const usage = await readUsage(pids);
    for (const agent of all.values()) {
      const pid = measured(agent);
      if (pid !== undefined && pids.includes(pid) && agent.pid() !== undefined) agent.sample(usage.get(pid));
    }
  }

  const polling = setInterval(poll, POLL_MS);
  const sampling = setInterval(
    () => sample().catch((error: unknown) => warn('what agents use cannot be read', error)),
    SAMPLE_MS,
  );
  polling.unref();
  sampling.unref();
  /** Agents that were found dead; the next word about each says what becomes of it. */
  const waiting = new Set<string>();

  return {
    async adopt() {
      const found = (await readdir(root))
        .map((id) => readNote(join(root, id)))
        .filter((note) => note !== undefined);
      const adopted = await Promise.all(
        found.map(async (note) => {
          const agent = supervised(note);
          const runs = await agent.adopt();
          await agent.trim();
          if (!runs && note.wanted === 'running') waiting.add(note.order.id);
          return runs;
        }),
      );
      await sample();
      return adopted.filter(Boolean).length;
    },

    async supervise(order, signal) {
      const agent = all.get(order.id) ?? (await make(order));
      const known = agent.note.order.epoch;
      if (order.epoch < known) throw new StaleOrder(order.id, order.epoch, known);
      if (order.epoch > known) {
        waiting.delete(order.id);
        await agent.follow(order);
      } else if (waiting.delete(order.id)) agent.resume();
      signal.throwIfAborted();
      return Promise.race([
        agent.over(),
        new Promise<never>((_, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
        ),
      ]);
    },

    async stop({ id, epoch }) {
      const agent = all.get(id);
      if (!agent) return; // never had it, or forgot it
      const known = agent.note.order.epoch;
      if (epoch < known) throw new StaleOrder(id, epoch, known);
      waiting.delete(id);
      await agent.stop(epoch);
    },

    async forget(id) {
      const agent = all.get(id);
      if (agent && agent.note.wanted === 'running') throw new Error(`agent ${id} runs: stop it first`);
      await agent?.swept();
      agent?.detach();
      all.delete(id);
      await rm(join(root, id), { recursive: true, force: true });
      if (existsSync(join(home, id))) await folders.remove(join(home, id));
    },

    reports: () => [...all.values()].map((agent) => agent.report()),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    readLog: async (id, from, limitBytes) => all.get(id)?.output.read(from, limitBytes),

    attempts: createAttempts(root),

    close() {
      clearInterval(polling);
      clearInterval(sampling);
      for (const agent of all.values()) agent.detach();
      // Agents that are still known come back to their folders.
      if (all.size === 0) rmSync(home, { recursive: true, force: true });
    },
  };
}
