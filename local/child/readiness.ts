import { pause } from './pause.ts';
import { type Child, signalGroup } from './spawn.ts';

export interface ReadyInfo {
  adminCreated?: boolean;
}

/** How a start went: `isFinal` says that trying again is of no use. */
export type Outcome = { ready: ReadyInfo } | { failed: string; isFinal: boolean };

/** Resolves once a child can be used; it is given up when the child ends or `signal` is aborted. */
export type WaitForReady = (child: Child, signal: AbortSignal) => Promise<ReadyInfo>;

/** Waits for what comes first: ready, a failure that the child reports, its end, or the time limit. */
export async function becomeReady(child: Child, wait: WaitForReady, withinMs: number): Promise<Outcome> {
  const over = new AbortController();
  const failed = new Promise<Outcome>((resolve) => {
    child.onMessage((message) => {
      if (message.type === 'failed') resolve({ failed: message.reason, isFinal: true });
    });
  });
  const ended = child.ended.then((how): Outcome => ({ failed: how, isFinal: false }));
  const late = pause(withinMs, over.signal).then((): Outcome => {
    if (child.pid !== undefined && !over.signal.aborted) signalGroup(child.pid, 'SIGKILL');
    return { failed: `not ready within ${withinMs / 1000} s`, isFinal: true };
  });
  const ready = wait(child, over.signal).then((info): Outcome => ({ ready: info }));
  ready.catch(() => {}); // given up: it lost the race
  try {
    return await Promise.race([ready, failed, ended, late]);
  } finally {
    over.abort();
  }
}

/** Ready is when the child says so over IPC. */
export const saysReady: WaitForReady = (child) =>
  new Promise((resolve) => {
    child.onMessage((message) => {
      if (message.type === 'ready') resolve(message);
    });
  });

const LEAVE_WITHIN_MS = 2_000;

/** A child that said it failed should end by itself; one that does not is killed. */
export async function endSoon(child: Child): Promise<string> {
  const { pid } = child;
  const timer =
    pid === undefined ? undefined : setTimeout(() => signalGroup(pid, 'SIGKILL'), LEAVE_WITHIN_MS);
  const how = await child.ended;
  clearTimeout(timer);
  return how;
}
