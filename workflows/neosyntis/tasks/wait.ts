import type { WaitTask } from '../../../domain/neosyntis/dsl.ts';
import { type DurationObject, durationMs } from '../../../domain/neosyntis/duration.ts';
import { isObject } from '../../../domain/neosyntis/json.ts';
import type { Json } from '../../../domain/wire.ts';
import type { Variables } from '../engine/evaluator.ts';
import { framed } from '../engine/frames.ts';
import { failure } from '../engine/problem.ts';
import type { RunContext, TaskExecutor } from '../engine/scope.ts';

interface WaitState {
  /** In ms since 1970. */
  until: number;
}

/** `wait`: a durable timer; data passes through. */
export const runWait: TaskExecutor<WaitTask> = async (run, task, input, _scope, variables, _step, frame) => {
  const known = frame?.state as WaitState | undefined; // this function's own
  const until = known?.until ?? Date.now() + (await durationOf(run, task, input, variables));
  if (!known) run.recorder.flush(until - Date.now());
  await framed(
    () => run.leg.sleepUntil(until),
    () => ({ state: { until } satisfies WaitState }),
  );
  return { output: input };
};

async function durationOf(run: RunContext, task: WaitTask, input: Json, variables: Variables) {
  const duration = await run.evaluator.template(task.wait, input, variables);
  const ms =
    typeof duration === 'string' || isDuration(duration)
      ? durationMs(duration)
      : { problem: `${JSON.stringify(duration)} is not a duration` };
  if (typeof ms !== 'number') throw failure('validation', `wait: ${ms.problem}.`);
  return ms;
}

const units = ['days', 'hours', 'minutes', 'seconds', 'milliseconds'];

const isDuration = (value: unknown): value is DurationObject =>
  isObject(value) &&
  Object.keys(value).length > 0 &&
  Object.entries(value).every(
    ([unit, amount]) => units.includes(unit) && typeof amount === 'number' && amount >= 0,
  );
