import type { RunContext, StepScope } from './scope.ts';
import type { StepRecord } from './step-record.ts';
import type { Attempting } from './verbs.ts';

/** Each attempt of what a step calls is one of the step's. */
export const attemptsOf = (run: RunContext, scope: StepScope, step: StepRecord): Attempting => ({
  failed(problem) {
    step.repeats(scope.again(), problem);
    run.recorder.flush();
  },
  again: step.again,
});
