import { expect } from '@jest/globals';
import { until } from '../support/client.ts';
import type { Asked, Platform, Victim } from './platform.ts';

/** Nobody waits longer for what is away. */
export const ANSWER_WITHIN_MS = 3_000;

/** Somebody who fails in the middle of it is not to leave the server away for all who come after. */
export interface Outage extends AsyncDisposable {
  /** Brings the server back. */
  end(): Promise<void>;
}

/** How a server is taken away. */
export type Begin = (platform: Platform, victim: Victim) => Outage;

export const outages: [name: string, begin: Begin][] = [
  [
    'killed',
    (platform, victim) => {
      const killed = platform.kill(victim);
      const letGo = platform.holdBack(victim);
      return endingBy(async () => {
        letGo();
        await killed;
      });
    },
  ],
  [
    'frozen',
    (platform, victim) => {
      platform.signalAll(victim, 'SIGSTOP');
      return endingBy(async () => platform.signalAll(victim, 'SIGCONT'));
    },
  ],
];

function endingBy(bringBack: () => Promise<void>): Outage {
  let over: Promise<void> | undefined;
  const end = () => {
    over ??= bringBack();
    return over;
  };
  return { end, [Symbol.asyncDispose]: end };
}

export interface Timed {
  answer: Asked;
  ms: number;
}

export async function timed(ask: () => Promise<Asked>): Promise<Timed> {
  const startedAt = performance.now();
  const answer = await ask();
  return { answer, ms: performance.now() - startedAt };
}

const names = { temporal: /Temporal/, database: /database/ };

/** An answer that is not about another server: a busy machine may be late with that just then. */
export const timedWithout = (other: keyof typeof names, ask: () => Promise<Asked>): Promise<Timed> =>
  until(
    () => timed(ask),
    ({ answer }) => answer?.status !== 503 || !names[other].test(answer.body.detail),
    60_000,
  );

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
