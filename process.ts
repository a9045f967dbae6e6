import { rmSync, writeFileSync } from 'node:fs';
import type { Logger } from './logs.ts';

const STOP_WITHIN_MS = 5_000;
const HEALTH_EVERY_MS = 5_000;

interface Running {
  close(): Promise<void>;
  ready?: Record<string, unknown>;
  /** What is still to happen before the process is ready; it works already. */
  settled?: Promise<void>;
  /** What the process is there for. */
  ended?: Promise<void>;
  healthFile?: string | undefined;
}

/**
 * The life of a process: starts, says over IPC that it is ready, and stops on SIGTERM, SIGINT or when its
 * supervisor is gone. What `start` gives is closed in the end; a start that fails ends the process with why. So do
 * `end`, which stops in order what was started, and work (`ended`) that ends by itself: whoever started the process
 * starts it again. `healthFile` is touched every 5 s while the process works, and is gone when it does not.
 */
export async function runProcess(
  log: Logger,
  start: (end: (why: Error) => void) => Promise<Running>,
): Promise<void> {
  process.on('unhandledRejection', (error) => {
    log.error({ err: error }, 'unhandled rejection');
  });
  let why: Error | undefined;
  let stop: () => void = () => {};
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  for (const signal of ['SIGTERM', 'SIGINT', 'disconnect'] as const) process.once(signal, () => stop());
  try {
    const running = await start((error) => {
      why = error;
      stop();
    });
    await Promise.race([running.settled, stopped]);
    process.send?.({ type: 'ready', ...running.ready });
    log.info('ready');
    const health = running.healthFile ? showHealth(running.healthFile, log) : undefined;
    const ended = running.ended?.then(() => Promise.reject(new Error('the work ended by itself')));
    await Promise.race(ended ? [stopped, ended] : [stopped]).finally(() => health?.stop());
    ended?.catch(() => {}); // from now on it is meant to end
    if (why) log.error({ err: why }, 'stopping');
    else log.info('stopping');
    // What cannot be closed in order (a server that is gone) does not keep the process.
    setTimeout(() => process.exit(1), STOP_WITHIN_MS).unref();
    await running.close();
    if (why) throw why;
    log.info('stopped');
    process.exit(0);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.fatal({ err: error }, 'cannot start or stop');
    if (!process.send) process.stderr.write(`${reason}\n`);
    const leave = () => process.exit(1);
    if (process.send) process.send({ type: 'failed', reason }, leave);
    else leave();
  }
}

function showHealth(file: string, log: Logger): { stop(): void } {
  const touch = () => {
    try {
      writeFileSync(file, new Date().toISOString());
    } catch (error) {
      log.warn({ err: error, file }, 'the health file cannot be written');
    }
  };
  touch();
  const timer = setInterval(touch, HEALTH_EVERY_MS).unref();
  return {
    stop() {
      clearInterval(timer);
      rmSync(file, { force: true });
    },
  };
}
