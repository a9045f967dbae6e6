import {
  EVENT_LIMIT_BYTES,
  eventProblems,
  type WorkflowEvent,
} from '../../../domain/neosyntis/cloud-event.ts';
import { stepId } from '../../../domain/neosyntis/code.ts';
import type { Document, EmitTask } from '../../../domain/neosyntis/dsl.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import type { Json } from '../../../domain/wire.ts';
import { failure } from '../engine/problem.ts';
import type { TaskExecutor } from '../engine/scope.ts';

/** `emit`: an event for the runs of the same owner that listen; puts out the whole event. */
export const runEmit: TaskExecutor<EmitTask> = async (run, task, input, scope, variables) => {
  const given = await run.evaluator.template(task.emit.event.with, input, variables);
  const { definition } = run.constants.workflow as { definition: Document & Json }; // set by neosyntisRun
  const { namespace, name, version } = definition.document;
  const event: { [attribute: string]: Json } = {
    specversion: '1.0',
    // The same for the same step of the run: when the step is done again after a crash, it is the same event.
    id: stepId(run.runId, scope.pointer, scope.iteration, scope.attempt),
    source: `/${namespace}/${name}/${version}`,
    time: new Date().toISOString(),
    ...(given as { [attribute: string]: Json }), // the template is an object
  };
  const [problem] = eventProblems(event);
  if (problem) throw failure('validation', `emit.event.with${problem.path}: ${problem.message}.`);
  const bytes = byteLength(event);
  if (bytes > EVENT_LIMIT_BYTES)
    throw failure('validation', `The event has ${bytes} bytes of JSON; ${EVENT_LIMIT_BYTES} is the limit.`);
  await run.budget.spend(bytes);
  await run.events.emit(run.runId, event as WorkflowEvent); // eventProblems found none
  return { output: event };
};
