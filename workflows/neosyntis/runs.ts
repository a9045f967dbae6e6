import {
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  log,
  proxyActivities,
  proxyLocalActivities,
  workflowInfo,
} from '@temporalio/workflow';
import type { ApprovalActivities } from '../../activities/platform/neosyntis/approvals.ts';
import type { RunActivities } from '../../activities/platform/neosyntis/runs.ts';
import type { SecretActivities } from '../../activities/platform/neosyntis/secrets.ts';
import type { Document } from '../../domain/neosyntis/dsl.ts';
import type { GuardedExpression } from '../../domain/neosyntis/guarded.ts';
import type { RunChange } from '../../domain/neosyntis/projection.ts';
import type { RunProblem } from '../../domain/neosyntis/runs.ts';
import { asItRuns } from '../../domain/neosyntis/use.ts';
import type { Json } from '../../domain/wire.ts';
import { createBudget } from './engine/budget.ts';
import { createCodeRunner } from './engine/code.ts';
import { dateTime } from './engine/date-time.ts';
import { createEvaluator } from './engine/evaluator.ts';
import { jq } from './engine/jq.ts';
import { runList } from './engine/list.ts';
import { createPlacer } from './engine/place.ts';
import { createPresence } from './engine/presence.ts';
import { TaskFailure } from './engine/problem.ts';
import { createQuestions, takeAnswers, type Waits } from './engine/questions.ts';
import { createRecorder } from './engine/recorder.ts';
import type { RunContext } from './engine/scope.ts';
import { runTask } from './engine/task.ts';
import { timeoutMs, within } from './engine/timeout.ts';
import { createTurns, type InTurn } from './engine/turns.ts';
import { createVerbCaller } from './engine/verbs.ts';

/** Bookkeeping: tried until the database is back, however long that takes. */
const { project } = proxyActivities<RunActivities>({
  startToCloseTimeout: '20 seconds',
  retry: { initialInterval: 100, maximumInterval: '5 seconds' },
});

/** Cheap and idempotent; also tried until the database is back. */
const local = proxyLocalActivities<RunActivities & SecretActivities & ApprovalActivities>({
  startToCloseTimeout: '10 seconds',
  retry: { initialInterval: 50, maximumInterval: '1 second' },
});

/** What happens while the run waits: a workflow task stays open for so long, and no longer. */
const quick = proxyLocalActivities<RunActivities>({
  startToCloseTimeout: '1 second',
  retry: { maximumAttempts: 1 },
});

/** The end goes the long way when the short one fails. */
const { finish } = proxyLocalActivities<RunActivities>({
  startToCloseTimeout: '10 seconds',
  retry: { initialInterval: 50, maximumInterval: '1 second', maximumAttempts: 5 },
});

export interface RunInput {
  workflowId: string;
  version: number;
  document: Document;
  input: Json;
}

/**
 * One run of a workflow: its Temporal workflow id is the run's id. What people watch is a projection that the
 * run does not wait for, except for its end, which is readable before the run closes.
 */
export async function neosyntisRun({ document, input, workflowId, version }: RunInput): Promise<Json> {
  const runId = workflowInfo().workflowId;
  const startedAt = workflowInfo().startTime.toISOString();
  const waits: Waits = { asked: {}, answers: {} };
  takeAnswers(waits);
  const engine = await jq();
  const inTurn = createTurns();
  const recorder = createRecorder(runId, { quick: inTurn(quick.tell), patient: project });
  recorder.run({ status: 'running', startedAt });
  const budget = createBudget(() => recorder.flush());
  const evaluateGuarded = inTurn(local.evaluateGuarded);
  const guarded = ({ source, input, variables }: GuardedExpression) =>
    evaluateGuarded(source, input, variables);
  const presence = createPresence(recorder, startedAt);
  const activities = {
    askPeople: inTurn(local.askPeople),
    noteAnswer: inTurn(local.noteAnswer),
    closeApproval: inTurn(local.closeApproval),
  };
  const run: RunContext = {
    runId,
    recorder,
    evaluator: createEvaluator({ engine, guarded, budget }),
    budget,
    visits: new Map(),
    code: createCodeRunner(createPlacer(inTurn(local.place)), inTurn(local.grantSecrets)),
    callVerb: createVerbCaller(runId, recorder, inTurn),
    questions: createQuestions({ waits, activities, presence, recorder }),
    presence,
    metadata: document.document.metadata,
    context: null,
    constants: {
      workflow: {
        id: runId,
        definition: document as unknown as Json,
        input,
        startedAt: dateTime(workflowInfo().startTime),
      }, // a document is JSON
      runtime: { name: 'vareon', version: '1', metadata: { workflow_id: workflowId, version } },
    },
    executed: 0,
    tasks: { list: runList, task: runTask },
  };
  try {
    const written = asItRuns(document);
    const output = await within(timeoutMs(written), () => runDocument(run, written, input));
    recorder.finished();
    await close(run, inTurn, { status: 'completed', startedAt, output });
    return output;
  } catch (error) {
    if (isCancellation(error)) await close(run, inTurn, { status: 'cancelled', startedAt });
    if (!(error instanceof TaskFailure)) throw error;
    const problem = { instance: '/', ...error.problem };
    await close(run, inTurn, { status: 'failed', startedAt, error: problem });
    throw asTemporalFailure(problem);
  }
}

async function runDocument(run: RunContext, document: Document, raw: Json): Promise<Json> {
  const { evaluator, constants } = run;
  const input =
    document.input?.from === undefined ? raw : await evaluator.shape(document.input.from, raw, constants);
  const whole = {
    pointer: '/do',
    iteration: [],
    attempts: [],
    variables: {},
    from: 0,
    span: 1,
  };
  const { output } = await run.tasks.list(run, document.do, input, whole);
  if (document.output?.as === undefined) return output;
  return evaluator.shape(document.output.as, output, { ...constants, context: run.context });
}

/** Makes the end readable, also while the run is being cancelled. */
const close = (run: RunContext, inTurn: InTurn, end: RunChange) =>
  CancellationScope.nonCancellable(async () => {
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
