import { runOnce } from './run-once.ts';

/**
 * What goes before a command so that the kernel sends it `signal` when we die without stopping it, be it by
 * kill -9: our own processes see their IPC channel close, servers of others would go on. Empty where the
 * system cannot do that; then the next start ends what is left.
 */
export async function boundToUs(signal: NodeJS.Signals): Promise<string[]> {
  if (process.platform !== 'linux') return [];
  const prefix = ['setpriv', `--pdeathsig=${signal.replace('SIG', '')}`];
  const { code } = await runOnce('setpriv', [...prefix.slice(1), 'true'], { timeoutMs: 5_000 });
  return code === 0 ? prefix : [];
}
