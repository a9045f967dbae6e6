import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { AgentOrder } from '../../domain/myntrix/agent-reports.ts';
import { bears } from '../processes/containment/marks.ts';
import { procEntry } from '../processes/proc.ts';
import { StaleOrder } from '../workflows/stale-order.ts';
import { createEnds } from './ends.ts';
import { isHeld } from './exit-watch.ts';
import { type Note, readStatus, startPaths } from './files.ts';
import { exitOf } from './report.ts';
import { createStarts, type StartsDeps } from './starts.ts';
import { createState, type StateDeps } from './state.ts';
import { isAlive, markOf } from './tree.ts';
import type { Usage } from './usage.ts';

const ADOPTED_LATER_MS = [1_000, 5_000] as const;
/** A launcher that is there, and has not told of an end by then, does not come to it: somebody stopped it. */
const TOLD_WITHIN_MS = 60_000;

export type SupervisedDeps = StateDeps & StartsDeps;
export type Supervised = ReturnType<typeof createSupervised>;

/** One agent on this host: follows its orders, and takes over what an earlier life of the host started. */
export function createSupervised(deps: SupervisedDeps) {
  const { note, boot, prepare } = deps;
  const state = createState(deps);
  const { id, folder, output } = state;
  const ends = createEnds(state, { ...deps, begin: () => starts.begin() });
  const starts = createStarts(state, ends, deps);
  let deadSince: number | undefined;

  return {
    id,
    report: state.report,
    output,
    note: note as Readonly<Note>,
    /** Resolves with how it ended under its newest order. */
    over: () => state.over.promise,
    /** Pid of the running process. */
    pid: (): number | undefined =>
      state.status === 'running' || state.status === 'stopping' ? note.started?.pid : undefined,
    /** The first process inside of its container. */
    inner: () => state.inner,

    /** Follows a new order; whatever ran for an older one ends before. */
    async follow(order: AgentOrder): Promise<void> {
      clearTimeout(state.restarting);
      state.giveUp?.abort();
      state.over.reject(new StaleOrder(id, note.order.epoch, order.epoch)); // for whoever looks on at the older one
      note.order = order;
      note.wanted = 'running';
      note.restarts = [];
      note.restarted = 0;
      delete note.ended;
      state.prepared = undefined;
      void state.dismiss();
      state.over = Promise.withResolvers();
      state.over.promise.catch(() => {}); // perhaps nobody looks on
      state.keep();
      state.status = 'starting';
      await state.ending;
      state.ending = ends.endTree();
      await state.ending;
      state.ending = undefined;
      state.letGo();
      if (note.order !== order || note.wanted !== 'running') return; // another order came meanwhile
      state.become('starting');
      starts.begin();
    },

    /** At the start of the host: takes over what runs. @returns whether it does. */
    async adopt(): Promise<boolean> {
      const { started } = note;
      state.lastEnd = note.lastEnd ?? null;
      if (note.wanted === 'stopped') {
        if (started?.boot === boot) await ends.killAll(started); // a stop that was cut off
        state.status = note.ended?.kind === 'error' ? 'error' : 'stopped';
        if (note.ended) state.over.resolve(note.ended);
        return false;
      }
      state.status = 'starting'; // as soon as somebody says that it is still wanted
      if (started?.boot !== boot) return false;
      const { pid } = readStatus(folder, started.number);
      if (started.pid === undefined && pid !== undefined) started.pid = pid;
      if (started.pid !== undefined && started.start === undefined && bears(markOf(id, started), started.pid))
        started.start = procEntry(started.pid)?.start ?? -1;
      if (!isAlive(started)) return false;
      starts.watchAdopted(started);
      state.status = 'running';
      state.keep();
      void this.attendAdopted();
      return true;
    },

    /** What a health check and the next start need may take a while to be found again. */
    async attendAdopted(): Promise<void> {
      const { started, order } = note;
      if (!started) return;
      const isAttended = order.configuration.healthCheck !== undefined || started.container === true;
      if (!isAttended && !starts.wantsStandby()) return;
      // A host that comes back has many to look after: those that need nothing now wait for a while.
      if (!isAttended) await delay(randomInt(...ADOPTED_LATER_MS), undefined, { ref: false });
      const isWanted = () => note.started === started && state.status === 'running' && !state.isClosed;
      if (!isWanted()) return; // its folder may be gone
      const { signal } = new AbortController();
      try {
        const prepared = await prepare(order, started.number, { output: state.files.output, signal });
        if (!isWanted() || typeof prepared === 'string') return;
        if (isAttended) starts.attend(started, prepared);
        if (!starts.wantsStandby()) return;
        state.prepared = prepared;
        starts.arrange(started, prepared);
      } catch (error) {
        deps.warn(`agent ${id} was taken over, but what it needs is not found`, error);
      }
    },

    /** After `adopt` found it dead: does what its policy says about the end that nobody saw. */
    resume(): void {
      const { started } = note;
      const isOfNow = started?.boot === boot;
      const go = () => {
        if (isOfNow && started.pid !== undefined) ends.ended(exitOf(folder, started));
        else starts.begin();
      };
      if (!isOfNow || (started.pid !== undefined && !started.container)) go();
      else ends.killAll(started).then(go, (error: unknown) => deps.warn(`agent ${id} does not end`, error));
    },

    async stop(epoch: number): Promise<void> {
      note.order = { ...note.order, epoch };
      note.wanted = 'stopped';
      state.keep();
      state.letGo();
      state.giveUp?.abort();
      if (state.status === 'running' || state.status === 'starting') state.become('stopping');
      await state.beginning;
      await state.ending;
      await state.dismiss();
      await ends.endTree();
      await state.sweeping;
      await this.trim();
      state.close({ kind: 'stopped' }, 'stopped');
    },

    /** Looks whether it lives, in case the watch missed its end. */
    poll(): void {
      const { started } = note;
      if (state.status !== 'running' || state.ending || !started || isAlive(started)) {
        deadSince = undefined;
        return;
      }
      deadSince ??= performance.now();
      const { fifo } = startPaths(folder, started.number);
      // Its launcher may not have come to say how it ended.
      if (performance.now() - deadSince < TOLD_WITHIN_MS && isHeld(fifo)) return;
      deadSince = undefined;
      ends.ended(exitOf(folder, started));
    },

    sample(found: Usage | undefined): void {
      state.usage = found ?? { cpuPercent: 0, memoryBytes: 0 };
      const { memoryLimitBytes } = state.configuration();
      const { memoryBytes } = state.usage;
      if (memoryLimitBytes !== undefined && memoryBytes > memoryLimitBytes)
        ends.replace(
          'memory',
          `it used ${memoryBytes} bytes of memory, and its limit is ${memoryLimitBytes}`,
        );
    },

    async trim(): Promise<void> {
      state.logBytes = output.size();
      await output.trim(state.configuration().logs);
    },

    /** Resolves when nothing is being ended any more of what earlier starts left. */
    swept: async (): Promise<void> => state.sweeping,

    /** Lets go of it: it goes on. */
    detach(): void {
      state.isClosed = true;
      state.giveUp?.abort();
      state.letGo();
      void state.dismiss();
    },
  };
}
