import { randomInt } from 'node:crypto';
import { procEntry, sendSignal } from '../processes/proc.ts';
import type { RunAs } from '../processes/run-as.ts';
import { startChecking } from './checks.ts';
import type { AgentContainers } from './containers.ts';
import type { Ends } from './ends.ts';
import { makeFifos, watchExit } from './exit-watch.ts';
import { type Started, startPaths } from './files.ts';
import { type Helpers, launch } from './launcher.ts';
import { type Prepare, type Prepared, renewed } from './prepare.ts';
import { exitOf } from './report.ts';
import { standBy } from './standby.ts';
import type { AgentState } from './state.ts';
import { isAlive } from './tree.ts';

export interface StartsDeps {
  helpers: Helpers;
  user: RunAs | undefined;
  boot: string;
  prepare: Prepare;
  containers: AgentContainers | undefined;
  warn(message: string, error: unknown): void;
}

/** The process of now comes first. */
const ARRANGE_AFTER_MS = 30;

const newLocks = () => `${randomInt(2 ** 40, 2 ** 47)}`;

export type Starts = ReturnType<typeof createStarts>;

/** Starts an agent's process and sees it live and end. */
export function createStarts(state: AgentState, ends: Ends, deps: StartsDeps) {
  const { id, note, files, folder } = state;
  const { helpers, user, boot, prepare, containers, warn } = deps;

  /** Starts the process. Whatever hinders it is the agent's end, with the reason. */
  function begin(): void {
    state.beginning = start().catch((error: unknown) => {
      if (state.isClosed || note.wanted !== 'running') return; // it was told to stop meanwhile
      ends.ended({ cause: 'not_started', message: error instanceof Error ? error.message : String(error) });
    });
  }

  async function start(): Promise<void> {
    const number = (note.started?.number ?? 0) + 1;
    const again = state.prepared;
    if (again) {
      const next = renewed(again, id, number);
      return letGo(number, next) ? undefined : await runAlone(next, number); // nothing is awaited before it runs
    }
    const giveUp = new AbortController();
    state.giveUp = giveUp;
    const { order } = note;
    const prepared = await prepare(order, number, { output: files.output, signal: giveUp.signal });
    if (note.wanted !== 'running' || state.isClosed || note.order !== order) return;
    if (typeof prepared === 'string') return ends.failed({ cause: 'not_started', message: prepared });
    await makeFifos([number, number + 1].map((one) => startPaths(folder, one).fifo));
    await runAlone(prepared, number);
    if (prepared.isReusable) state.prepared = prepared;
  }

  /** Lets what stands by run. @returns false when nothing does */
  function letGo(number: number, prepared: Prepared): boolean {
    const { standby } = state;
    const found = standby?.number === number ? standby.process() : undefined;
    if (!standby || !found) return false;
    const started: Started = { boot, number, locks: standby.locks, at: Date.now(), ...found };
    note.started = started;
    state.save(); // before it runs: a later life finds what it made
    state.standby = undefined;
    state.watch?.close();
    state.watch = standby.go(() => gone(started));
    runs(started, prepared);
    return true;
  }

  /** Whoever restarts at once has the next start made ready; with a pause there is time enough for it. */
  function wantsStandby(): boolean {
    const { restart, backoff, runtime, code } = state.configuration();
    return restart !== 'never' && backoff.initialMs === 0 && runtime !== 'container' && code === undefined;
  }

  function arrange(started: Started, prepared: Prepared): void {
    if (!wantsStandby()) return;
    const number = started.number + 1;
    const isWanted = () => note.started === started && state.status === 'running' && !state.isClosed;
    const makeReady = async () => {
      try {
        const what = { ...renewed(prepared, id, number), locks: newLocks(), output: files.output };
        const standby = await standBy(number, { ...what, ...startPaths(folder, number) }, helpers);
        if (isWanted()) state.standby = standby;
        else await standby.dismiss();
      } catch (error) {
        warn(`the next start of agent ${id} cannot be made ready`, error);
      }
    };
    setTimeout(() => {
      if (isWanted()) state.arranging = makeReady();
    }, ARRANGE_AFTER_MS).unref();
  }

  /** Starts the process when nothing stands by in its place, unless it is wanted no more by then. */
  async function runAlone(prepared: Prepared, number: number): Promise<void> {
    const { order } = note;
    await state.dismiss();
    if (note.wanted === 'running' && !state.isClosed && note.order === order) await run(prepared, number);
  }

  async function run(prepared: Prepared, number: number): Promise<void> {
    const locks = newLocks();
    const started: Started = { boot, number, locks, at: Date.now() };
    if (prepared.container) started.container = true;
    note.started = started;
    state.save(); // before the start: a later life finds what it made
    state.watch?.close();
    const { fifo, status } = startPaths(folder, number);
    state.watch = watchExit(fifo, {
      onPid: (pid) => running(started, pid, prepared),
      onGone: () => gone(started),
    });
    await launch(
      { ...prepared, locks, output: files.output, fifo, status },
      prepared.container ? { ...helpers, setpriv: undefined } : helpers,
    );
  }

  function running(started: Started, pid: number, prepared: Prepared): void {
    if (note.started !== started || state.isClosed) return;
    started.pid = pid;
    const entry = procEntry(pid);
    if (entry) started.start = entry.start;
    state.keep();
    runs(started, prepared);
  }

  function runs(started: Started, prepared: Prepared): void {
    if (state.ending) return;
    attend(started, prepared);
    state.become('running');
    arrange(started, prepared);
  }

  /** Looks after a process that runs. */
  function attend(started: Started, { env, cwd }: Pick<Prepared, 'env' | 'cwd'>): void {
    if (started.container)
      containers?.firstPid(id).then(
        (pid) => {
          if (note.started === started) state.inner = pid;
        },
        (error: unknown) => warn(`what the container of agent ${id} uses is not known`, error),
      );
    const { healthCheck } = state.configuration();
    if (!healthCheck) return;
    const around =
      started.container && containers ? containers.inside(id) : { wrap: (argv: string[]) => argv, env, user };
    state.checking = startChecking(
      healthCheck,
      { ...around, cwd },
      {
        onChange: () => state.become(state.status),
        onUnhealthy: (reason) => ends.replace('health', reason),
      },
    );
  }

  /** Its launcher is gone, and the agent too unless somebody killed only the launcher: then the poll looks on. */
  function gone(started: Started): void {
    if (note.started !== started || state.ending || state.isClosed || isAlive(started)) return;
    // Its group, at once: the next one may want its port.
    if (started.pid !== undefined) sendSignal(-started.pid, 'SIGKILL');
    ends.ended(exitOf(folder, started));
  }

  /** Looks after a process that an earlier life started. */
  function watchAdopted(started: Started): void {
    const { fifo } = startPaths(folder, started.number);
    state.watch = watchExit(fifo, { onPid: () => {}, onGone: () => gone(started) });
  }

  return { begin, attend, watchAdopted, arrange, wantsStandby };
}
