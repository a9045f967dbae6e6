import type { Logger } from './logs.ts';

const STOP_WITHIN_MS = 5_000;

interface Running {
  close(): Promise<void>;
  ready?: Record<string, unknown>;
  working?: Promise<void>;
}

/**
 * The life of a process: starts, says over IPC that it is ready, and stops on SIGTERM, SIGINT or when its
 * supervisor is gone. What `start` gives is closed in the end; a start that fails ends the process with why, and so
 * does `working`, what the process is there for, when it ends by itself.
 */
export async function runProcess(log: Logger, start: () => Promise<Running>): Promise<void> {
  process.on('unhandledRejection', (error) => {
    log.error({ err: error }, 'unhandled rejection');
  });
  let stop: () => void = () => {};
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  for (const signal of ['SIGTERM', 'SIGINT', 'disconnect'] as const) process.once(signal, () => stop());
  try {
    const running = await start();
    process.send?.({ type: 'ready', ...running.ready });
    log.info('ready');
    const endedByItself = running.working?.then(() => {
      throw new Error('it ended by itself');
    });
    await Promise.race([stopped, ...(endedByItself ? [endedByItself] : [])]);
    log.info('stopping');
    // What cannot be closed in order (a server that is gone) does not keep the process.
    setTimeout(() => process.exit(1), STOP_WITHIN_MS).unref();
    await running.close();
    log.info('stopped');
    process.exit(0);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.fatal({ err: error }, 'cannot start or stop');
    const leave = () => process.exit(1);
    if (process.send) process.send({ type: 'failed', reason }, leave);
    else leave();
  }
}
