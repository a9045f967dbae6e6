import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface ExternalBus {
  url: string;
  pid(): number;
  kill(signal: NodeJS.Signals): void;
  /** The next time from now that it can be connected to. */
  nextUp(): Promise<void>;
  close(): void;
}

const RESTART_AFTER_MS = 500;
const program = fileURLToPath(new URL('./broker.ts', import.meta.url));

/** A broker outside of the platform that is started again when it ends. */
export async function startBus(port: number): Promise<ExternalBus> {
  let child: ChildProcess;
  let closed = false;
  let next = Promise.withResolvers<void>();

  function begin(): void {
    child = fork(program, [String(port)], { execArgv: [], stdio: 'ignore' });
    child.once('message', () => {
      next.resolve();
      next = Promise.withResolvers();
    });
    child.once('exit', () => {
      if (!closed) setTimeout(begin, RESTART_AFTER_MS);
    });
  }

  const first = next.promise;
  begin();
  await first;
  return {
    url: `mqtt://127.0.0.1:${port}`,
    pid: () => child.pid ?? 0,
    kill: (signal) => void child.kill(signal),
    nextUp: () => next.promise,
    close() {
      closed = true;
      child.kill('SIGKILL');
    },
  };
}
