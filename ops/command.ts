import { ConfigError } from '../config.ts';
import { StartError } from '../local/events.ts';
import { Problem } from './problem.ts';

/**
 * The life of a command: prints what `work` gives, or one clear sentence why it failed and the exit code 1.
 * Ctrl-C lets it clean up (130).
 */
export async function runCommand(
  usage: string,
  work: (signal: AbortSignal) => Promise<string>,
): Promise<void> {
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => interrupted.abort(new Problem('Interrupted.')));
  try {
    console.log(await work(interrupted.signal));
    process.exitCode = 0;
  } catch (error) {
    process.exitCode = interrupted.signal.aborted ? 130 : 1;
    console.error(explain(error, usage));
  }
}

function explain(error: unknown, usage: string): string {
  if (error instanceof Problem || error instanceof ConfigError) return error.message;
  if (error instanceof StartError) return [error.message, error.tail].filter(Boolean).join('\n');
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS'))
    return `${(error as Error).message}\n\n${usage}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
