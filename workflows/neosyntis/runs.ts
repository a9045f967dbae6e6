import {
  ApplicationFailure,
  CancellationScope,
  continueAsNew,
  defineSignal,
  isCancellation,
  log,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { runSignals } from '../../domain/names.ts';
import type { Document } from '../../domain/neosyntis/dsl.ts';
import type { DeliveredEvent } from '../../domain/neosyntis/events.ts';
import { extensionsOf } from '../../domain/neosyntis/extensions.ts';
import type { GuardedExpression } from '../../domain/neosyntis/guarded.ts';
import type { RunChange } from '../../domain/neosyntis/projection.ts';
import type { RerunFrom } from '../../domain/neosyntis/reuse.ts';
import type { RunProblem, RunTrigger } from '../../domain/neosyntis/runs.ts';
import { asItRuns } from '../../domain/neosyntis/use.ts';
import type { Json } from '../../domain/wire.ts';
import { brief, finish, keepValue, local, project, quick } from './engine/activities.ts';
import { createBudget } from './engine/budget.ts';
import { createChildRunner } from './engine/child.ts';
import { createCodeRunner } from './engine/code.ts';
import { dateTime } from './engine/date-time.ts';
import { runDocument } from './engine/document.ts';
import { createEvaluator } from './engine/evaluator.ts';
import { type Frame, type Packed, pack, Unwound, unpack } from './engine/frames.ts';
import { createInbox, type InboxState } from './engine/inbox.ts';
import { jq } from './engine/jq.ts';
import { createKeeper } from './engine/keeper.ts';
import { createLeg } from './engine/leg.ts';
import { runList } from './engine/list.ts';
import { acceptPauses } from './engine/pause.ts';
import { createPlacer } from './engine/place.ts';
import { TaskFailure } from './engine/problem.ts';
import { createQuestions, takeAnswers, type Waits } from './engine/questions.ts';
import { createRecorder, type RecorderState } from './engine/recorder.ts';
import { loadReuse } from './engine/reuse.ts';
import { createSchemaChecker } from './engine/schemas.ts';
import type { RunContext } from './engine/scope.ts';
import { createStanding } from './engine/standing.ts';
import { runTask } from './engine/task.ts';
import { timeoutMs } from './engine/timeout.ts';
import { createTurns, type InTurn } from './engine/turns.ts';
import { createVerbCaller } from './engine/verbs.ts';

const eventsSignal = defineSignal<[DeliveredEvent[]]>(runSignals.events);

export interface RunInput {
  workflowId: string;
  version: number;
  document: Document;
  input: Json;
  /** After so many tasks and rounds another execution goes on. */
  legTasks?: number;
  /** What began it, unless somebody did by hand. */
  trigger?: RunTrigger;
  /** The run whose outcomes count until that step. */
  rerun?: { runId: string; from: RerunFrom };
  /** It begins paused. */
  isPaused?: boolean;
}

/** What one execution of a run hands to the next. */
export interface Carried {
  frame: Packed['frame'];
  recorder: RecorderState;
  /** The run's beginning, in ms since 1970. */
  startedAt: number;
  executed: number;
  isPaused: boolean;
  /** What it is said to be, unless it is paused. */
  status: 'running' | 'waiting';
  inbox: InboxState;
  waits: Waits;
  /** How often each extension was applied. */
  applied: [string, number][];
}

/**
 * One run of a workflow: its Temporal workflow id is the run's id. What people watch is a projection that the
 * run does not wait for, except for its end, which is readable before the run closes. A long run goes on in one
 * execution after the other, each from where the one before stood.
 */
export async function neosyntisRun(about: RunInput, carried?: Carried, ...bundles: Json[][]): Promise<Json> {
  const { document, input, workflowId, version, legTasks, rerun, trigger } = about;
  const { workflowId: runId, runId: execution, startTime } = workflowInfo();
  const begun = new Date(carried?.startedAt ?? startTime);
  const startedAt = begun.toISOString();
  const inbox = createInbox(carried?.inbox);
  // Before anything else: what was sent to the run before it began comes first of all.
  setHandler(eventsSignal, inbox.receive);
  const waits: Waits = carried?.waits ?? { asked: {}, answers: {} };
  takeAnswers(waits);
  const inTurn = createTurns();
  const projectors = {
    quick: inTurn(quick.tell),
    patient: project,
    keep: createKeeper({ quick: inTurn(brief.keepValue), patient: keepValue }),
  };
  const recorder = createRecorder(runId, projectors, carried?.recorder);
  if (!carried) recorder.run({ status: 'running', startedAt });
  const leg = createLeg({ tasks: legTasks, isPaused: carried?.isPaused ?? false });
  const tellStatus = (status: 'running' | 'waiting' | 'paused') => {
    recorder.run({ status, startedAt });
    recorder.flush();
  };
  const standing = createStanding({ tell: tellStatus, leg, status: carried?.status });
  const pause = acceptPauses(leg, () => tellStatus(leg.isPaused() ? 'paused' : standing.status()));
  if (!carried && about.isPaused) pause();
  const engine = await jq();
  const budget = createBudget(() => recorder.flush());
  const evaluateGuarded = inTurn(local.evaluateGuarded);
  const guarded = ({ source, input, variables }: GuardedExpression) =>
    evaluateGuarded(source, input, variables);
  const written = limited(asItRuns(document), trigger);
  const approvals = {
    askPeople: inTurn(local.askPeople),
    noteAnswer: inTurn(local.noteAnswer),
    closeApproval: inTurn(local.closeApproval),
  };
  const checkGuarded = inTurn(local.checkGuarded);
  const run: RunContext = {
    runId,
    recorder,
    evaluator: createEvaluator({ engine, guarded, budget }),
    checkSchema: createSchemaChecker({
      check: ({ schema, value }) => checkGuarded(schema as Json, value), // definitions are JSON
      budget,
    }),
    budget,
    leg,
    events: {
      inbox,
      emit: inTurn(local.emitEvent),
      begin: inTurn(local.beginListening),
      end: inTurn(local.endListening),
    },
    standing,
    code: createCodeRunner(createPlacer(inTurn(local.place)), inTurn(local.grantSecrets)),
    callVerb: createVerbCaller(runId, recorder, inTurn),
    child: createChildRunner(runId, inTurn(local.createChild), budget),
    questions: createQuestions({ waits, activities: approvals, leg, standing, recorder }),
    metadata: written.document.metadata,
    context: null,
    constants: {
      workflow: {
        id: runId,
        definition: asSent(document),
        input,
        startedAt: dateTime(begun),
      },
      runtime: {
        name: 'vareon',
        version: '1',
        metadata: { workflow_id: workflowId, version, ...scheduled(trigger) },
      },
    },
    extensions: extensionsOf(written.use),
    applied: new Map(carried?.applied),
    executed: carried?.executed ?? 0,
    tasks: { list: runList, task: runTask },
  };
  try {
    if (rerun)
      run.reuse = await loadReuse(
        { reusable: inTurn(local.reusable), reusedValues: inTurn(local.reusedValues) },
        rerun,
        budget,
      );
    let frame = carried && unpack({ frame: carried.frame, bundles });
    for (;;) {
      const ended = await inLegs(() => runDocument(run, written, input, begun.getTime(), frame));
      if ('output' in ended) {
        recorder.finished();
        await close(run, inTurn, { status: 'completed', startedAt, output: ended.output });
        return ended.output;
      }
      const recorded = await recorder.settle();
      frame = ended.frame;
      // A run that was cancelled meanwhile goes on here: each branch ends as soon as it is taken up.
      if (CancellationScope.current().consideredCancelled) continue;
      const { frame: packed, bundles: values } = pack(frame);
      const next = {
        frame: packed,
        recorder: { ...recorded, continues: execution },
        startedAt: begun.getTime(),
        executed: run.executed,
        isPaused: run.leg.isPaused(),
        status: standing.status(),
        inbox: inbox.state,
        waits,
        applied: [...run.applied],
      };
      await continueAsNew<typeof neosyntisRun>(about, next, ...values);
    }
  } catch (error) {
    if (isCancellation(error)) await close(run, inTurn, { status: 'cancelled', startedAt });
    if (!(error instanceof TaskFailure)) throw error;
    const problem = { instance: '/', ...error.problem };
    await close(run, inTurn, { status: 'failed', startedAt, error: problem });
    throw asTemporalFailure(problem);
  }
}

/** A document as people sent it. A document is JSON. */
const asSent = ({ sources: _read, loose: _texts, ...document }: Document): Json =>
  document as unknown as Json;

/** With the time limit of what began it, unless the document's own is shorter. */
function limited(document: Document, trigger: RunTrigger | undefined): Document {
  const { time_limit_seconds: seconds } = trigger ?? {};
  if (seconds === undefined || seconds * 1_000 >= (timeoutMs(document) ?? Number.POSITIVE_INFINITY))
    return document;
  return { ...document, timeout: { after: { seconds } } };
}

/** What a run can read of the schedule that began it, by a tick or by events. */
const scheduled = (trigger: RunTrigger | undefined) =>
  trigger && trigger.kind !== 'manual'
    ? { schedule: { id: trigger.schedule_id ?? '', nominal_time: trigger.at } }
    : {};

/** What the work puts out, or where it stands when it is to go on in another execution. */
async function inLegs(work: () => Promise<Json>): Promise<{ output: Json } | { frame: Frame }> {
  try {
    return { output: await work() };
  } catch (error) {
    if (!(error instanceof Unwound) || !error.frame) throw error;
    return { frame: error.frame };
  }
}

/** Makes the end readable, also while the run is being cancelled. */
const close = (run: RunContext, inTurn: InTurn, end: RunChange) =>
  CancellationScope.nonCancellable(async () => {
    run.leg.end();
    run.recorder.run({ ...end, endedAt: new Date().toISOString() });
    const { last, logged } = await run.recorder.drain();
    try {
      await inTurn(finish)(last, logged);
    } catch (error) {
      log.warn('the end is projected by a normal activity', { error });
      await project(last);
    }
  });

const asTemporalFailure = (problem: RunProblem) =>
  ApplicationFailure.create({
    message: `${problem.title}: ${problem.detail ?? ''} (${problem.instance ?? '/'})`,
    type: problem.type,
    nonRetryable: true,
    details: [problem],
  });
