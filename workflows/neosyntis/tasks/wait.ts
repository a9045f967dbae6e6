import { sleep } from '@temporalio/workflow';
import type { WaitTask } from '../../../domain/neosyntis/dsl.ts';
import { type DurationObject, durationMs } from '../../../domain/neosyntis/duration.ts';
import { isObject } from '../../../domain/neosyntis/json.ts';
import { failure } from '../engine/problem.ts';
import type { TaskExecutor } from '../engine/scope.ts';

/** `wait`: a durable timer; data passes through. */
export const runWait: TaskExecutor<WaitTask> = async (run, task, input, _scope, variables) => {
  const duration = await run.evaluator.template(task.wait, input, variables);
  const ms =
    typeof duration === 'string' || isDuration(duration)
      ? durationMs(duration)
      : { problem: `${JSON.stringify(duration)} is not a duration` };
  if (typeof ms !== 'number') throw failure('validation', `wait: ${ms.problem}.`);
  run.recorder.flush(ms);
  if (ms > 0) await sleep(ms);
  return { output: input };
};

const units = ['days', 'hours', 'minutes', 'seconds', 'milliseconds'];

const isDuration = (value: unknown): value is DurationObject =>
  isObject(value) &&
  Object.keys(value).length > 0 &&
  Object.entries(value).every(
    ([unit, amount]) => units.includes(unit) && typeof amount === 'number' && amount >= 0,
  );
