import { procEntry } from '../processes/proc.ts';
import { watchExit } from './exit-watch.ts';
import type { Started } from './files.ts';
import { type Helpers, type Launch, makeReady } from './launcher.ts';

/** The next start of an agent, made ready while it runs: then a restart is one exec(2). */
export interface Standby extends Pick<Started, 'number' | 'locks'> {
  /** Of the process that the agent will be; nothing while it is not there yet. */
  process(): { pid: number; start: number } | undefined;
  /** Lets it run. @param onGone is called when it has ended */
  go(onGone: () => void): { close(): void };
  /** Resolves when nothing of it is left. */
  dismiss(): Promise<void>;
}

/** @throws Error as `launch` does */
export async function standBy(number: number, what: Launch, helpers: Helpers): Promise<Standby> {
  let pid: number | undefined;
  let ended = () => {
    pid = undefined;
  };
  const watch = watchExit(what.fifo, {
    onPid: (told) => {
      pid = told;
    },
    onGone: () => ended(),
  });
  const ready = await makeReady(what, helpers).catch((error: unknown) => {
    watch.close();
    throw error;
  });
  return {
    number,
    locks: what.locks,
    process() {
      const entry = pid === undefined ? undefined : procEntry(pid);
      return entry && { pid: entry.pid, start: entry.start };
    },
    go(onGone) {
      ended = onGone;
      ready.go();
      return watch;
    },
    async dismiss() {
      watch.close();
      await ready.dismiss();
    },
  };
}
