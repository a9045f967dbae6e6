import { expect } from '@jest/globals';
import type { Asked, Platform, Victim } from './platform.ts';

/** Nobody waits longer for what is away. */
export const ANSWER_WITHIN_MS = 3_000;

/** Takes a server away; what is given brings it back. */
export type Outage = [name: string, begin: (platform: Platform, victim: Victim) => () => Promise<void>];

export const outages: Outage[] = [
  [
    'killed',
    (platform, victim) => {
      const killed = platform.kill(victim);
      const letGo = platform.holdBack(victim);
      return async () => {
        letGo();
        await killed;
      };
    },
  ],
  [
    'frozen',
    (platform, victim) => {
      platform.signalAll(victim, 'SIGSTOP');
      return async () => platform.signalAll(victim, 'SIGCONT');
    },
  ],
];

export interface Timed {
  answer: Asked;
  ms: number;
}

export async function timed(ask: () => Promise<Asked>): Promise<Timed> {
  const startedAt = performance.now();
  const answer = await ask();
  return { answer, ms: performance.now() - startedAt };
}

/** 503 as problem details that say when to come again. */
export function expectUnavailable({ answer }: Timed, part: RegExp): void {
  expect(answer).toMatchObject({
    status: 503,
    headers: {
      'content-type': expect.stringMatching(/^application\/problem\+json/),
      'retry-after': expect.stringMatching(/^[1-9]\d*$/),
    },
    body: { code: 'unavailable', detail: expect.stringMatching(part) },
  });
}
