import { isEnded } from '../../domain/neosyntis/runs.ts';
import { type Frame, openSocket, type TestSocket } from '../support/socket.ts';
import type { Platform } from './platform.ts';
import { pause } from './traffic.ts';

export interface Watcher {
  /** Numbers that were left out or came again, in words. */
  wrong: string[];
  frames(): number;
  resumes(): number;
  /** Resolves when the last number that is wanted has come, or rejects with what is missing. */
  reaches(seq: number, withinMs: number): Promise<void>;
  close(): void;
}

interface Stream {
  path: string;
  onFrame?(frame: Frame): void;
  isLast?(frame: Frame): boolean;
}

const RETRY_MS = 100;

/**
 * Follows a numbered stream as a client does: after each end it goes on after the last number it has. What
 * comes must be the next number each time.
 */
export function watch(platform: Platform, { path, onFrame, isLast }: Stream, from = 0): Watcher {
  const wrong: string[] = [];
  let last = from;
  let frames = 0;
  let opened = 0;
  let done = false;
  let socket: TestSocket | undefined;

  function take(frame: Frame): void {
    if (frame.type === 'snapshot') return void wrong.push(`${path}: a snapshot after ${last}`);
    if (frame.seq !== last + 1) wrong.push(`${path}: ${frame.seq} after ${last}`);
    last = frame.seq;
    frames++;
    onFrame?.(frame);
    if (isLast?.(frame)) {
      done = true;
      socket?.close();
    }
  }

  async function follow(): Promise<void> {
    while (!done) {
      try {
        socket = await openSocket(platform.socketUrl(`${path}?after=${last}`), platform.token);
        opened++;
        socket.onFrame(take);
        await socket.closed;
      } catch {
        // Refused or cut off while something is away: the next attempt goes on where this one was.
      }
      if (!done) await pause(RETRY_MS);
    }
  }
  void follow();

  return {
    wrong,
    frames: () => frames,
    resumes: () => Math.max(0, opened - 1),
    async reaches(seq, withinMs) {
      const endsAt = Date.now() + withinMs;
      while (last < seq) {
        if (Date.now() > endsAt) throw new Error(`${path}: stands at ${last}, not at ${seq}`);
        await pause(20);
      }
    },
    close() {
      done = true;
      socket?.close();
    },
  };
}

/** Follows a run to its end. */
export const watchRun = (platform: Platform, runId: string): Watcher & { hasEnded(): boolean } => {
  let ended = false;
  const isLast = (frame: Frame) => {
    ended ||= frame.type === 'run' && isEnded(frame.run.status);
    return ended;
  };
  return { ...watch(platform, { path: `/ws/neosyntis/runs/${runId}`, isLast }), hasEnded: () => ended };
};
