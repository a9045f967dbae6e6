import type { Settled } from './agent-configuration.ts';
import type { LastEnd } from './agent-reports.ts';

export type Verdict =
  | { kind: 'restart'; afterMs: number }
  /** It ended, and that is what its policy wants. */
  | { kind: 'done' }
  | { kind: 'give_up'; reason: string };

type Policy = Pick<Settled, 'restart' | 'maxRestarts' | 'restartWindowMs' | 'backoff'>;

/** The restarts that still count at a time. */
export const inWindow = (restarts: readonly number[], { restartWindowMs }: Policy, now: number): number[] =>
  restarts.filter((at) => at > now - restartWindowMs);

/**
 * What becomes of an agent whose process ended.
 * @param restarts times of earlier restarts (ms)
 */
export function verdictOn(
  end: Pick<LastEnd, 'cause' | 'code' | 'signal'>,
  restarts: readonly number[],
  policy: Policy,
  now: number,
): Verdict {
  const failed = end.cause !== 'exit' || end.code !== 0;
  if (policy.restart === 'never' || (policy.restart === 'on-failure' && !failed))
    return failed ? { kind: 'give_up', reason: 'it is not restarted (restart: never)' } : { kind: 'done' };
  const recent = inWindow(restarts, policy, now).length;
  if (recent >= policy.maxRestarts)
    return {
      kind: 'give_up',
      reason: `it was restarted ${recent} times within ${policy.restartWindowMs / 1000} s, and maxRestarts is ${policy.maxRestarts}`,
    };
  const { initialMs, maxMs, factor } = policy.backoff;
  return { kind: 'restart', afterMs: Math.min(maxMs, initialMs * factor ** recent) };
}
