import { describe, expect, test } from '@jest/globals';
import type { TryTask } from '../../domain/neosyntis/dsl.ts';
import { standardProblem } from '../../domain/neosyntis/problems.ts';
import { RunExhausted } from '../../workflows/neosyntis/engine/problem.ts';
import type { RunContext, StepScope } from '../../workflows/neosyntis/engine/scope.ts';
import type { StepRecord } from '../../workflows/neosyntis/engine/step-record.ts';
import { runTry } from '../../workflows/neosyntis/tasks/try.ts';

describe('A run that has reached its limit of tasks', () => {
  test('ends: no `try` takes that error, nor runs its tasks again, which would never yield', async () => {
    const limit = new RunExhausted(standardProblem('runtime', 'the limit'));
    let asked = 0;
    const run = {
      recorder: { flush() {} },
      tasks: {
        async list() {
          // A handler, or a fourth attempt, would end it otherwise.
          if (++asked > 3) return { output: 'caught' };
          throw limit;
        },
      },
    } as unknown as RunContext; // all of it that a `try` without expressions uses
    const scope = { pointer: '/do/0/t', attempts: [], variables: {} } as unknown as StepScope;
    const step = { retries() {}, again() {} } as unknown as StepRecord;
    const task: TryTask = { try: [], catch: { retry: {}, do: [] } };
    await expect(runTry(run, task, null, scope, {}, step)).rejects.toBe(limit);
    expect(asked).toBe(1);
  });
});
