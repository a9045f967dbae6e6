import { type PartName, partLabels, type Report, StartError } from '../events.ts';
import type { StateFile } from '../state.ts';
import { identify } from './identity.ts';
import type { LogFile } from './log-file.ts';
import { pause } from './pause.ts';
import { becomeReady, endSoon, type ReadyInfo, type WaitForReady } from './readiness.ts';
import { type Child, type Command, signalGroup, startChild } from './spawn.ts';

export interface PartSpec {
  name: PartName;
  command: () => Command;
  ready: WaitForReady;
  stopSignal: NodeJS.Signals;
  onLine?: (line: string) => void;
}

export interface Part {
  name: PartName;
  readonly pid: number | undefined;
  /** The first time it is ready. Rejects with a StartError when it cannot start. */
  ready: Promise<ReadyInfo>;
  /** The next time from now that it becomes ready. */
  nextUp(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** Asks it to stop; its whole process group is killed when that takes longer. */
  stop(withinMs: number): Promise<void>;
  /** Kills without waiting. */
  forceStop(): void;
}

export interface SuperviseDeps {
  report: Report;
  state: StateFile;
  openLog: (part: PartName) => LogFile;
  timing?: Partial<Timing>;
}

interface Timing {
  firstRetryMs: number;
  lastRetryMs: number;
  /** A part that was up this long starts again with the first back-off. */
  steadyMs: number;
  /** Of the first start: a busy machine that has compiled and cached nothing yet takes minutes. */
  readyWithinMs: number;
  readyAgainWithinMs: number;
}

const usualTiming: Timing = {
  firstRetryMs: 500,
  lastRetryMs: 10_000,
  steadyMs: 30_000,
  readyWithinMs: 180_000,
  readyAgainWithinMs: 60_000,
};
const ATTEMPTS = 3;

/** Keeps one part running until it is stopped: starts it, and starts it again with back-off when it ends. */
export function supervise(spec: PartSpec, deps: SuperviseDeps): Part {
  const timing = { ...usualTiming, ...deps.timing };
  const { report, state } = deps;
  const log = deps.openLog(spec.name);
  const stopping = new AbortController();
  const first = Promise.withResolvers<ReadyInfo>();
  first.promise.catch(() => {}); // whoever starts the stack awaits it, perhaps later
  let child: Child | undefined;
  let next = Promise.withResolvers<void>();

  async function live(): Promise<void> {
    let retryMs = timing.firstRetryMs;
    for (let attempt = 1, wasReady = false; !stopping.signal.aborted; attempt++) {
      const startedAt = Date.now();
      child = begin();
      const withinMs = wasReady ? timing.readyAgainWithinMs : timing.readyWithinMs;
      const outcome = await becomeReady(child, spec.ready, withinMs);
      if ('ready' in outcome) {
        const ms = Date.now() - startedAt;
        report(wasReady ? { type: 'up-again', part: spec.name, ms } : { type: 'up', part: spec.name, ms });
        wasReady = true;
        first.resolve(outcome.ready);
        next.resolve();
        next = Promise.withResolvers();
      }
      const how = await ('ready' in outcome ? child.ended : endSoon(child));
      state.ended(child.pid ?? 0);
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL'); // what it may have left in its group
      if (stopping.signal.aborted) return;
      const failure = 'failed' in outcome ? outcome : { failed: how, isFinal: false };
      if (!wasReady && (failure.isFinal || attempt === ATTEMPTS))
        return first.reject(cannotStart(failure.failed, child.tail()));
      if (Date.now() - startedAt > timing.steadyMs) retryMs = timing.firstRetryMs;
      report({ type: 'ended', part: spec.name, how: failure.failed, retryMs });
      await pause(retryMs, stopping.signal);
      retryMs = Math.min(retryMs * 2, timing.lastRetryMs);
    }
  }

  function begin(): Child {
    const started = startChild(spec.command(), log, spec.onLine);
    const identity = started.pid === undefined ? undefined : identify(started.pid);
    if (started.pid !== undefined && identity !== undefined)
      state.started({ part: spec.name, pid: started.pid, identity, stopSignal: spec.stopSignal });
    started.onMessage((message) => {
      if (message.type === 'notice') report({ type: 'notice', text: message.text });
    });
    return started;
  }

  const cannotStart = (reason: string, tail: string) =>
    new StartError(`${partLabels[spec.name]} cannot start: ${reason}\nIts log: ${log.path}`, tail);

  const living = live()
    .catch((error: unknown) => first.reject(error))
    .finally(() => {
      first.reject(new Error(`${spec.name} was stopped`)); // means nothing once it was ready
      log.close();
    });

  return {
    name: spec.name,
    get pid() {
      return child?.pid;
    },
    ready: first.promise,
    nextUp: () => next.promise,
    kill(signal) {
      if (child?.pid !== undefined && identify(child.pid)) process.kill(child.pid, signal);
    },
    async stop(withinMs) {
      stopping.abort();
      this.kill(spec.stopSignal);
      const grace = setTimeout(() => {
        report({ type: 'notice', text: `${partLabels[spec.name]} does not stop; killing it` });
        this.forceStop();
      }, withinMs);
      await living;
      clearTimeout(grace);
    },
    forceStop() {
      stopping.abort();
      if (child?.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
    },
  };
}
