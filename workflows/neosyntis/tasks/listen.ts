import { CancellationScope } from '@temporalio/workflow';
import { iteratorVariables } from '../../../domain/neosyntis/dsl/listen.ts';
import type { ListenTask } from '../../../domain/neosyntis/dsl.ts';
import { readAs } from '../../../domain/neosyntis/events.ts';
import { isObject } from '../../../domain/neosyntis/json.ts';
import { VALUE_LIMIT_BYTES } from '../../../domain/neosyntis/runs.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import type { Json } from '../../../domain/wire.ts';
import type { Variables } from '../engine/evaluator.ts';
import { createMatcher } from '../engine/event-matching.ts';
import { consumes, isMet, noProgress, type StrategyProgress } from '../engine/event-progress.ts';
import { type Frame, framed, Unwound, valueIn } from '../engine/frames.ts';
import type { Reader } from '../engine/inbox.ts';
import { listened } from '../engine/listening.ts';
import { failure } from '../engine/problem.ts';
import type { Outcome, RunContext, StepScope, TaskExecutor } from '../engine/scope.ts';

/** Where a `listen` is: plain JSON. */
interface ListenState {
  reader: Reader;
  bytes: number;
  to: StrategyProgress;
  until: StrategyProgress;
}

interface Listener extends ListenState {
  /** What was consumed, as it is put out. */
  output: Json[];
  /** The event that is worked on, as it was read. */
  item?: Json;
}

/** `listen`: waits for events, works on each in turn, and puts out the list of those that were consumed. */
export const runListen: TaskExecutor<ListenTask> = async (
  run,
  task,
  input,
  scope,
  variables,
  step,
  frame,
) => {
  const listener = listenerOf(frame) ?? {
    reader: run.events.inbox.open(),
    output: [],
    bytes: 0,
    to: noProgress(),
    until: noProgress(),
  };
  const place = { path: scope.pointer, iteration: scope.iteration };
  const end = async () => {
    run.events.inbox.close(listener.reader);
    await CancellationScope.nonCancellable(() => run.events.end(run.runId, place));
  };
  try {
    if (frame) run.events.inbox.open(listener.reader);
    // From here on events come; a listener that nobody can see yet misses none.
    else await run.events.begin(run.runId, { ...place, ...listened(task.listen.to) });
    step.waits();
    run.recorder.flush();
    const work = () => listen(run, task, listener, { input, scope, variables, left: frame?.inside });
    const outcome = await framed(work, (inside) => frameOf(listener, inside));
    await end();
    return outcome;
  } catch (error) {
    // A run that goes on in another execution goes on listening there.
    if (!(error instanceof Unwound)) await end();
    throw error;
  }
};

function frameOf({ output, item, ...state }: Listener, inside: Frame | undefined): Frame {
  return {
    state: state satisfies ListenState,
    values: { output, ...(item === undefined ? {} : { item }) },
    inside,
  };
}

function listenerOf(frame: Frame | undefined): Listener | undefined {
  if (!frame) return undefined;
  const item = valueIn(frame, 'item');
  const output = valueIn(frame, 'output') as Json[]; // this file's own, as is the state
  return { ...(frame.state as ListenState), output: [...output], ...(item === undefined ? {} : { item }) };
}

interface Here {
  input: Json;
  scope: StepScope;
  variables: Variables;
  /** Of the tasks that worked on an event when they were left. */
  left: Frame | undefined;
}

async function listen(run: RunContext, task: ListenTask, state: Listener, here: Here): Promise<Outcome> {
  const { to, read = 'data' } = task.listen;
  const done = (): Outcome => {
    const { keys } = state.to;
    return { output: state.output, ...(Object.keys(keys).length > 0 ? { correlationKeys: keys } : {}) };
  };
  const variables = (): Variables => ({ ...here.variables, context: run.context });
  const matcher = createMatcher({ evaluator: run.evaluator, input: here.input, variables });

  /** Works on the event at hand. @returns what the task puts out when it was the last. */
  async function work(left?: Frame): Promise<Outcome | undefined> {
    const outcome = await iterate(run, task, state, here, left);
    delete state.item;
    if (outcome.directive === 'end') return { ...done(), directive: 'end' };
    if (!isMet(to, state.to) || isObject(to.until)) return undefined;
    if (typeof to.until !== 'string') return done();
    return (await run.evaluator.condition(to.until, state.output, variables())) ? done() : undefined;
  }

  if (state.item !== undefined) {
    const ended = await work(here.left);
    if (ended) return ended;
  }
  for (;;) {
    const { event, consume } = await next(run, state.reader);
    if (isObject(to.until) && (await consumes(matcher, to.until, state.until, event))) {
      consume();
      if (isMet(to.until, state.until)) return done();
      continue;
    }
    if (!(await consumes(matcher, to, state.to, event))) continue;
    consume();
    run.standing.goesOn();
    state.item = readAs(event, read);
    const ended = await work();
    if (ended) return ended;
  }
}

/** The next event that has come; while there is none the run waits. */
async function next(run: RunContext, reader: Reader) {
  const { inbox } = run.events;
  for (;;) {
    // Taking up the wait in another execution is no round.
    if (inbox.has(reader)) run.leg.round();
    await run.budget.step();
    if (inbox.isFull())
      throw failure('runtime', 'More than 10,000 events or 8 MiB of them came before the run got to them.');
    const found = inbox.take(reader);
    if (found) return found;
    run.standing.leave();
    try {
      await run.leg.waitFor(() => inbox.has(reader));
    } finally {
      run.standing.enter();
    }
  }
}

/** What `foreach` does with one event; its output is kept. */
async function iterate(
  run: RunContext,
  task: ListenTask,
  state: Listener,
  { scope, variables }: Here,
  left: Frame | undefined,
): Promise<Outcome> {
  const { item = null } = state;
  const index = state.output.length;
  const [itemName, at] = iteratorVariables(task);
  const loop = { [itemName]: item, [at]: index };
  const { do: tasks, output: shape, export: exported } = task.foreach ?? {};
  const place = {
    ...scope,
    pointer: `${scope.pointer}/foreach/do`,
    iteration: [...scope.iteration, index],
    variables: { ...scope.variables, ...loop },
    from: 0,
    span: 0,
  };
  const outcome: Outcome = tasks ? await run.tasks.list(run, tasks, item, place, left) : { output: item };
  const here = { ...variables, ...loop, context: run.context };
  const output = shape?.as === undefined ? item : await run.evaluator.shape(shape.as, outcome.output, here);
  if (exported?.as !== undefined)
    run.context = await run.evaluator.shape(exported.as, output, { ...here, output });
  state.output.push(output);
  state.bytes += byteLength(output);
  if (state.bytes > VALUE_LIMIT_BYTES)
    throw failure('runtime', `What it consumed is over ${VALUE_LIMIT_BYTES} bytes of JSON, the limit.`);
  return outcome;
}
