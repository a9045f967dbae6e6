import { ConfigError } from '../config.ts';
import { createConsole } from './console.ts';
import { StartError } from './events.ts';
import { readable } from './log-line.ts';
import { AlreadyRuns, startStack } from './stack.ts';

type Line = (text: string) => void;

/** `npm start`: starts the stack, says where it is, and stops it on Ctrl-C. @returns the exit code. */
export async function runStack(process: NodeJS.Process): Promise<number> {
  const isTerminal = process.stdout.isTTY === true && !process.env.NO_COLOR;
  const screen = { write: (text: string) => void process.stdout.write(text), isTerminal };
  const { report, line } = createConsole(screen, process.env.VAREON_DATA_DIR || './.vareon');
  process.stdout.on('error', () => {}); // the terminal or pipe is gone; the log files are not
  const { stop, force } = listenForSignals(process, line);
  try {
    line(`Vareon is starting (process ${process.pid})`);
    const stack = await startStack({ env: process.env, report, signal: stop, force });
    const { addresses, adminPassword } = stack;
    line(
      ['', 'Vareon is ready', ...table(addresses), ...login(adminPassword), '', 'Ctrl-C stops it', ''].join(
        '\n',
      ),
    );
    stack.passwordShown();
    if (!stop.aborted)
      await new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
    await stack.close();
    return 0;
  } catch (error) {
    if (stop.aborted) return 130;
    return explain(error, line);
  }
}

/** The first signal stops everything cleanly, the second at once. */
function listenForSignals(process: NodeJS.Process, line: Line): { stop: AbortSignal; force: AbortSignal } {
  const stop = new AbortController();
  const force = new AbortController();
  const onSignal = () => {
    if (stop.signal.aborted) {
      line('  ending everything at once');
      return force.abort();
    }
    line('');
    stop.abort(new Error('stopped'));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  return { stop: stop.signal, force: force.signal };
}

const table = (lines: Record<string, string>): string[] =>
  Object.entries(lines).map(([label, value]) => `  ${label.padEnd(16)} ${value}`);

const login = (password: string | undefined): string[] =>
  password
    ? [
        '',
        ...table({
          User: 'admin',
          Password: `${password}   (shown once: keep it, or change it after login)`,
        }),
      ]
    : [];

/** Says why it did not start. That it runs already is no error. */
function explain(error: unknown, line: Line): number {
  if (error instanceof AlreadyRuns) {
    const { state } = error;
    const isReady = Object.keys(state?.addresses ?? {}).length > 0;
    line(
      `Vareon runs already in this folder (process ${state?.pid ?? 'unknown'}${isReady ? '' : ', still starting'})`,
    );
    for (const row of table(state?.addresses ?? {})) line(row);
    return 0;
  }
  if (error instanceof ConfigError) line(error.message);
  else if (error instanceof StartError) {
    line(`\nVareon did not start.\n${error.message}`);
    if (error.tail) line(`\n${lastLines(error.tail)}`);
  } else
    line(
      `\nVareon did not start.\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
  return 1;
}

const lastLines = (tail: string) =>
  tail
    .split('\n')
    .slice(-15)
    .map((text) => `  | ${readable(text).slice(0, 400)}`)
    .join('\n');
