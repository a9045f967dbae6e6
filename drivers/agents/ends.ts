import { setTimeout as delay } from 'node:timers/promises';
import type { LastEnd } from '../../domain/myntrix/agent-reports.ts';
import { inWindow, verdictOn } from '../../domain/myntrix/agent-restarts.ts';
import type { AgentContainers } from './containers.ts';
import type { Started } from './files.ts';
import type { End } from './report.ts';
import type { AgentState } from './state.ts';
import { askToEnd, killRemains } from './tree.ts';

export interface EndsDeps {
  containers: AgentContainers | undefined;
  /** Of this machine, now. */
  boot: string;
  /** Starts the process again. */
  begin(): void;
  warn(message: string, error: unknown): void;
}

/** Reading marks keeps the host busy: not while the next one starts. */
const SWEEP_AFTER_MS = 300;

export type Ends = ReturnType<typeof createEnds>;

/** What becomes of an agent whose process is gone, and how a process is ended with all that came of it. */
export function createEnds(state: AgentState, { containers, boot, begin, warn }: EndsDeps) {
  const { id, note } = state;

  /** All that a start left, wherever it went. */
  async function killAll(started: Started): Promise<void> {
    if (started.container) await containers?.remove(id);
    await killRemains(id, started);
  }

  /** Ends what a start left. Reading all marks takes a while: the next start comes first. */
  function sweep(started: Started): void {
    const before = state.sweeping;
    const sweeping = delay(SWEEP_AFTER_MS)
      .then(() => killRemains(id, started))
      .catch((error: unknown) => warn(`what agent ${id} left goes on`, error));
    // Whoever waits for it waits for what earlier starts left, too.
    state.sweeping = Promise.all([before, sweeping]).then(() => {});
  }

  /** Its client may have ended without it; a next start removes it by itself. */
  function sweepContainer(): void {
    const swept = state.sweeping;
    state.sweeping = Promise.all([swept, containers?.remove(id)]).then(
      () => {},
      (error: unknown) => warn(`the container of agent ${id} may be left`, error),
    );
  }

  /** The process is gone. What it left is ended while the next one starts: each start has a mark of its own. */
  function ended(end: End): void {
    state.letGo();
    if (end.cause === 'not_started') state.prepared = undefined; // what it used may be gone
    if (note.started) sweep(note.started);
    const configuration = state.configuration();
    const now = Date.now();
    note.restarts = inWindow(note.restarts, configuration, now);
    const verdict = verdictOn({ code: null, signal: null, ...end }, note.restarts, configuration, now);
    if (verdict.kind === 'done') {
      if (note.started?.container) sweepContainer();
      state.tell(end);
      state.close({ kind: 'stopped' }, 'stopped');
    } else if (verdict.kind === 'give_up') {
      if (note.started?.container) sweepContainer();
      failed(end, verdict.reason);
    } else {
      state.status = 'starting';
      note.restarts.push(now);
      note.restarted += 1;
      state.tell(end);
      if (verdict.afterMs === 0)
        begin(); // before anybody hears of it
      else state.restarting = setTimeout(begin, verdict.afterMs);
      if (verdict.afterMs > 0) state.keep();
      state.become(state.status);
    }
  }

  function failed(end: End, because?: string): void {
    const message = because === undefined ? end.message : `${end.message}; ${because}`;
    state.close({ kind: 'error', reason: message, lastEnd: state.tell({ ...end, message }) }, 'error');
  }

  async function endTree(): Promise<void> {
    const { started } = note;
    if (started?.boot !== boot) return;
    const { stopSignal, killTimeoutMs } = state.configuration();
    await askToEnd(started, { signal: stopSignal, withinMs: killTimeoutMs });
    await killAll(started);
  }

  /** Ends the process to start another one. */
  function replace(cause: LastEnd['cause'], message: string): void {
    if (state.ending || note.wanted !== 'running' || state.status !== 'running') return;
    state.checking?.stop();
    state.ending = endTree()
      .catch((error: unknown) => warn(`agent ${id} does not end`, error))
      .then(() => {
        state.ending = undefined;
        if (!state.isClosed && note.wanted === 'running') ended({ cause, message });
      });
  }

  return { ended, failed, endTree, replace, killAll };
}
