import type { HealthParts } from './agent-reports.ts';

export interface HealthFacts {
  /** `up` since its last start, or on its way there, or not wanted or not able to run. */
  life: 'up' | 'starting' | 'down';
  /** Checks that failed in a row, of so many that lead to a restart; undefined without a health check. */
  check: { failures: number; threshold: number } | undefined;
  /** Restarts inside the window, of so many that are allowed in it. */
  restarts: { inWindow: number; allowed: number };
  /** Of the limit; undefined without one. */
  memory: { bytes: number; limitBytes: number } | undefined;
}

/**
 * An agent's health from 0 to 100, as the sum of four parts; 0 while it does not run.
 * - `liveness` 40 when it is up, 20 while it starts;
 * - `checks` 30, less an equal share for each check that failed in a row; 30 without a health check;
 * - `restarts` 20, less an equal share for each restart inside the window;
 * - `resources` 10 up to 80 % of the memory limit, falling evenly to 0 at the limit; 10 without one.
 */
export function healthOf(facts: HealthFacts): { health: number; parts: HealthParts } {
  const { life, check, restarts, memory } = facts;
  if (life === 'down') return { health: 0, parts: { liveness: 0, checks: 0, restarts: 0, resources: 0 } };
  const share = (used: number, of: number): number =>
    Math.max(0, 1 - (of === 0 ? Math.sign(used) : used / of));
  const parts = {
    liveness: life === 'up' ? 40 : 20,
    checks: round(30 * (check ? share(check.failures, check.threshold) : 1)),
    restarts: round(20 * share(restarts.inWindow, restarts.allowed)),
    resources: round(10 * (memory ? Math.min(1, (1 - memory.bytes / memory.limitBytes) / 0.2) : 1)),
  };
  return { health: Math.round(parts.liveness + parts.checks + parts.restarts + parts.resources), parts };
}

const round = (value: number): number => Math.round(Math.max(0, value) * 10) / 10;
