import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { inWindow, verdictOn } from '../../domain/myntrix/agent-restarts.ts';
import {
  type AgentOrder,
  type AgentReport,
  type HostAgentStatus,
  type LastEnd,
  settled,
} from '../../domain/myntrix/agents.ts';
import { bears } from '../processes/containment/marks.ts';
import { bootId, procEntry, sendSignal } from '../processes/proc.ts';
import type { RunAs } from '../processes/run-as.ts';
import { type Checking, startChecking } from './checks.ts';
import { type ExitWatch, makeFifo, watchExit } from './exit-watch.ts';
import { type Note, paths, readStatus, type Started, writeNote } from './files.ts';
import { type Helpers, launch } from './launcher.ts';
import { openOutput } from './output.ts';
import type { AgentEnd } from './port.ts';
import type { Prepared } from './prepare.ts';
import { type End, exitOf, reportOn } from './report.ts';
import { endStart, isAlive, killRemains, markOf } from './tree.ts';
import type { Usage } from './usage.ts';

export interface SupervisedDeps {
  /** The agent's own, of the host alone. */
  folder: string;
  note: Note;
  helpers: Helpers;
  user: RunAs | undefined;
  prepare(order: AgentOrder, number: number): Promise<Prepared | string>;
  /** What a report says has changed. */
  changed(report: AgentReport): void;
  warn(message: string, error: unknown): void;
}

export type Supervised = ReturnType<typeof createSupervised>;

const TAIL_BYTES = 2_048;
const SWEEP_AFTER_MS = 50;

/** One agent on this host: starts its process, sees it end, and does what its policy says. */
export function createSupervised({ folder, note, helpers, user, prepare, changed, warn }: SupervisedDeps) {
  const { id } = note.order;
  const files = paths(folder);
  const output = openOutput(files.output, (error) =>
    warn(`what agent ${id} prints is kept whole: the file system cannot give room back`, error),
  );
  let status: HostAgentStatus = 'stopped';
  let lastEnd: LastEnd | null = null;
  let usage: Usage = { cpuPercent: 0, memoryBytes: 0 };
  let logBytes = 0;
  let watch: ExitWatch | undefined;
  let checking: Checking | undefined;
  let restarting: NodeJS.Timeout | undefined;
  /** A tree that is being ended by us: whoever sees its process gone leaves the rest to us. */
  let ending: Promise<void> | undefined;
  let beginning: Promise<void> | undefined;
  let sweeping: Promise<void> | undefined;
  let isClosed = false;
  let over = Promise.withResolvers<AgentEnd>();

  const save = () => writeNote(folder, note);
  const configuration = () => settled(note.order.configuration);

  function become(next: HostAgentStatus): void {
    status = next;
    changed(report());
  }

  const report = (): AgentReport =>
    reportOn({ note, status, lastEnd, usage, logBytes, failedChecks: checking?.failures() ?? 0 });

  function letGo(): void {
    watch?.close();
    watch = undefined;
    checking?.stop();
    checking = undefined;
    clearTimeout(restarting);
  }

  /** Starts the process. Whatever hinders it is the agent's end, with the reason. */
  function begin(): void {
    beginning = start().catch((error: unknown) =>
      ended({ cause: 'not_started', message: error instanceof Error ? error.message : String(error) }),
    );
  }

  async function start(): Promise<void> {
    const number = (note.started?.number ?? 0) + 1;
    const prepared = await prepare(note.order, number);
    if (note.wanted !== 'running' || isClosed) return;
    if (typeof prepared === 'string') {
      failed({ cause: 'not_started', message: prepared });
      return;
    }
    const locks = `${randomInt(2 ** 40, 2 ** 47)}`;
    const started: Started = { boot: bootId(), number, locks, at: Date.now() };
    note.started = started;
    save(); // before the start: a later life finds what it made
    await makeFifo(files.fifo);
    watch?.close();
    watch = watchExit(files.fifo, {
      onPid: (pid) => running(started, pid, prepared),
      onGone: () => gone(started),
    });
    await launch(
      { ...prepared, locks, user, output: files.output, fifo: files.fifo, status: files.status },
      helpers,
    );
  }

  function running(started: Started, pid: number, { env, cwd }: Pick<Prepared, 'env' | 'cwd'>): void {
    if (note.started !== started || isClosed) return;
    started.pid = pid;
    const entry = procEntry(pid);
    if (entry) started.start = entry.start;
    save();
    if (ending) return;
    check({ env, cwd });
    become('running');
  }

  function check({ env, cwd }: Pick<Prepared, 'env' | 'cwd'>): void {
    const { healthCheck } = configuration();
    if (!healthCheck) return;
    checking = startChecking(
      healthCheck,
      { env, cwd, user },
      { onChange: () => changed(report()), onUnhealthy: (reason) => replace('health', reason) },
    );
  }

  /** Its launcher is gone, and the agent too unless somebody killed only the launcher: then the poll looks on. */
  function gone(started: Started): void {
    if (note.started !== started || ending || isClosed || isAlive(started)) return;
    // Its group, at once: the next one may want its port.
    if (started.pid !== undefined) sendSignal(-started.pid, 'SIGKILL');
    ended(exitOf(folder));
  }

  /** Ends what a start left, wherever it went. Reading all marks takes a while: the next start comes first. */
  function sweep(started: Started): void {
    sweeping = delay(SWEEP_AFTER_MS)
      .then(() => killRemains(id, started))
      .catch((error: unknown) => warn(`what agent ${id} left goes on`, error));
  }

  /** The process is gone. What it left is ended while the next one starts: each start has a mark of its own. */
  function ended(end: End): void {
    letGo();
    if (note.started) sweep(note.started);
    note.restarts = inWindow(note.restarts, configuration(), Date.now());
    const verdict = verdictOn(
      { code: null, signal: null, ...end },
      note.restarts,
      configuration(),
      Date.now(),
    );
    if (verdict.kind === 'done') {
      tell(end);
      close({ kind: 'stopped' }, 'stopped');
      return;
    }
    if (verdict.kind === 'give_up') {
      failed(end, verdict.reason);
      return;
    }
    tell(end);
    note.restarts.push(Date.now());
    note.restarted += 1;
    if (verdict.afterMs === 0) begin();
    else {
      save();
      restarting = setTimeout(begin, verdict.afterMs);
    }
    become('starting');
  }

  function failed(end: End, because?: string): void {
    const message = because === undefined ? end.message : `${end.message}; ${because}`;
    close({ kind: 'error', reason: message, lastEnd: tell({ ...end, message }) }, 'error');
  }

  /** The host looks after it no more. */
  function close(end: AgentEnd, as: HostAgentStatus): void {
    letGo();
    note.wanted = 'stopped';
    note.ended = end;
    save();
    become(as);
    over.resolve(end);
  }

  /** Notes how the process ended; what it printed last is read meanwhile. */
  function tell(end: End): LastEnd {
    const noted: LastEnd = { code: null, signal: null, at: new Date().toISOString(), log: '', ...end };
    lastEnd = noted;
    note.lastEnd = noted;
    output.tail(TAIL_BYTES).then(
      (log) => {
        noted.log = log;
        if (lastEnd === noted && !isClosed) {
          save();
          changed(report());
        }
      },
      (error: unknown) => warn(`the output of agent ${id} cannot be read`, error),
    );
    return noted;
  }

  async function endTree(withinMs = configuration().killTimeoutMs): Promise<void> {
    const { started } = note;
    if (started?.boot === bootId())
      await endStart(id, started, { signal: configuration().stopSignal, withinMs });
  }

  /** Ends the process to start another one. */
  function replace(cause: LastEnd['cause'], message: string): void {
    if (ending || note.wanted !== 'running' || status !== 'running') return;
    checking?.stop();
    ending = endTree()
      .catch((error: unknown) => warn(`agent ${id} does not end`, error))
      .then(() => {
        ending = undefined;
        if (!isClosed && note.wanted === 'running') ended({ cause, message });
      });
  }

  return {
    id,
    report,
    output,
    note: note as Readonly<Note>,
    /** Resolves with how it ended under its newest order. */
    over: () => over.promise,
    /** Pid of the running process. */
    pid: (): number | undefined =>
      status === 'running' || status === 'stopping' ? note.started?.pid : undefined,

    /** Follows a new order; whatever ran for an older one ends before. */
    async follow(order: AgentOrder): Promise<void> {
      clearTimeout(restarting);
      note.order = order;
      note.wanted = 'running';
      note.restarts = [];
      note.restarted = 0;
      delete note.ended;
      over = Promise.withResolvers();
      save();
      status = 'starting';
      await ending;
      ending = endTree();
      await ending;
      ending = undefined;
      letGo();
      if (note.order !== order || note.wanted !== 'running') return; // another order came meanwhile
      become('starting');
      begin();
    },

    /** At the start of the host: takes over what runs. @returns whether it does. */
    async adopt(): Promise<boolean> {
      const { started } = note;
      lastEnd = note.lastEnd ?? null;
      await output.trim(configuration().logs);
      if (note.wanted === 'stopped') {
        if (started?.boot === bootId()) await killRemains(id, started); // a stop that was cut off
        status = note.ended?.kind === 'error' ? 'error' : 'stopped';
        if (note.ended) over.resolve(note.ended);
        return false;
      }
      if (started?.boot !== bootId()) {
        status = 'starting'; // as soon as somebody says that it is still wanted
        return false;
      }
      const { pid } = readStatus(folder);
      if (started.pid === undefined && pid !== undefined) started.pid = pid;
      if (started.pid !== undefined && started.start === undefined && bears(markOf(id, started), started.pid))
        started.start = procEntry(started.pid)?.start ?? -1;
      if (!isAlive(started)) {
        status = 'starting';
        return false;
      }
      watch = watchExit(files.fifo, { onPid: () => {}, onGone: () => gone(started) });
      status = 'running';
      const prepared = await prepare(note.order, started.number);
      if (typeof prepared !== 'string') check(prepared);
      save();
      return true;
    },

    /** After `adopt` found it dead: does what its policy says about the end that nobody saw. */
    resume(): void {
      const { started } = note;
      if (started?.boot === bootId() && started.pid !== undefined) ended(exitOf(folder));
      else if (started === undefined) begin();
      else killRemains(id, started).then(begin, (error: unknown) => warn(`agent ${id} does not end`, error));
    },

    async stop(epoch: number): Promise<void> {
      note.order = { ...note.order, epoch };
      note.wanted = 'stopped';
      save();
      letGo();
      if (status === 'running' || status === 'starting') become('stopping');
      await beginning;
      await ending;
      await endTree();
      await sweeping;
      await output.trim(configuration().logs);
      logBytes = await output.size();
      close({ kind: 'stopped' }, 'stopped');
    },

    /** Looks whether it lives, in case the watch missed its end. */
    poll(): void {
      const { started } = note;
      if (status === 'running' && !ending && started && !isAlive(started)) ended(exitOf(folder));
    },

    sample(found: Usage | undefined): void {
      usage = found ?? { cpuPercent: 0, memoryBytes: 0 };
      const { memoryLimitBytes } = configuration();
      if (memoryLimitBytes !== undefined && usage.memoryBytes > memoryLimitBytes)
        replace(
          'memory',
          `it used ${usage.memoryBytes} bytes of memory, and its limit is ${memoryLimitBytes}`,
        );
    },

    async trim(): Promise<void> {
      logBytes = await output.size();
      await output.trim(configuration().logs);
    },

    /** Lets go of it: it goes on. */
    detach(): void {
      isClosed = true;
      letGo();
    },
  };
}
