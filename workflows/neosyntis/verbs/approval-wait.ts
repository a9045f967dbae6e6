import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import { approvalId } from '../../../domain/neosyntis/approvals.ts';
import type { CallTask } from '../../../domain/neosyntis/dsl.ts';
import { isObject } from '../../../domain/neosyntis/json.ts';
import type { Json } from '../../../domain/wire.ts';
import type { Variables } from '../engine/evaluator.ts';
import { type Frame, framed, valueIn } from '../engine/frames.ts';
import { type RunContext, stepPlace, type TaskExecutor } from '../engine/scope.ts';
import { sealingTemplate } from '../engine/sealing.ts';
import { timeoutMs } from '../engine/timeout.ts';
import { createReminder, remindersOf, type Webhook } from './reminders.ts';

/** Whether the step deals with its own time limit: it then has an output when nobody answers. */
export const decidesAtTimeout = (task: object): boolean =>
  'call' in task &&
  task.call === 'approval.wait' &&
  'with' in task &&
  isObject(task.with) &&
  'onTimeout' in task.with;

/** Where an `approval.wait` is: plain JSON. */
interface ApprovalState {
  /** Reminders that were sent. */
  sent: number;
}

/** What it asks, once it is evaluated. */
interface Asked {
  args: Json;
  /** Its secret is put in where it is sent. */
  webhook: Webhook | undefined;
}

/** `approval.wait`: the run asks people and waits; its output is what they said. */
export const waitForApproval: TaskExecutor<CallTask> = async (run, task, input, ...rest) => {
  const [scope, variables, step, frame] = rest;
  const place = stepPlace(scope);
  const id = approvalId(run.runId, place, 'approval');
  const { args, webhook } = askedIn(frame) ?? (await asked(run, task, input, variables));
  const state = (frame?.state as ApprovalState | undefined) ?? { sent: 0 }; // this function's own
  const reminders = remindersOf(args, state.sent);
  if (!frame) step.asks(id);
  const name = String(isObject(variables.task) ? variables.task.name : '');
  const answered = framed(
    () => run.questions.ask({ id, runId: run.runId, ...place, name, about: { kind: 'approval', args } }),
    () => frameOf(state, { args, webhook }),
  );
  const ended = new CancellationScope();
  // Both only sleep and send: what they throw is that they were ended.
  const beside = ended
    .run(() => Promise.all([remind(), decideAtTimeout()]))
    .catch((error: unknown) => {
      if (!isCancellation(error)) throw error;
    });
  try {
    const { answer, by, at } = await answered;
    const { approved = false, data = null, comment = null } = answer;
    // Nobody else carries it out, so that it is in no queue.
    return { output: { approved, by, at, data, comment }, queueMs: 0 };
  } finally {
    ended.cancel();
    await beside;
  }

  /** A reminder that the run is left in is sent again; who gets it knows it by its key. */
  async function remind(): Promise<void> {
    if (!reminders) return;
    const send = createReminder(run, { id, args, place, webhook });
    for (let at = reminders.next(); at; at = reminders.next()) {
      await sleep(Math.max(1, run.questions.askedAt(id) + at.afterMs - Date.now()));
      await send(at.number);
      state.sent = at.number;
    }
  }

  async function decideAtTimeout(): Promise<void> {
    const limitMs = decidesAtTimeout(task) ? timeoutMs(task) : undefined;
    if (limitMs === undefined) return;
    await sleep(Math.max(1, run.questions.askedAt(id) + limitMs - Date.now()));
    const approved = isObject(args) && args.onTimeout === 'approve';
    run.questions.answer(id, { approved, comment: 'Nobody answered in time.' });
  }
};

async function asked(run: RunContext, task: CallTask, input: Json, variables: Variables): Promise<Asked> {
  const given = task.with ?? {};
  const { by } = isObject(given.remind) ? given.remind : {};
  const webhook =
    isObject(by) && by.webhook !== undefined
      ? await sealingTemplate(run.evaluator, by.webhook, input, variables)
      : undefined;
  return {
    args: await run.evaluator.template(withoutSecret(given, webhook), input, variables),
    webhook,
  };
}

const frameOf = (state: ApprovalState, { args, webhook }: Asked): Frame => ({
  state,
  values: { args, ...(webhook ? { webhook: webhook as unknown as Json } : {}) }, // it is JSON
});

function askedIn(frame: Frame | undefined): Asked | undefined {
  if (!frame) return undefined;
  const webhook = valueIn(frame, 'webhook') as unknown as Webhook | undefined; // frameOf put it there
  return { args: valueIn(frame, 'args') ?? null, webhook };
}

/** The arguments as they are checked and kept: without what may hold secrets. */
function withoutSecret(given: Record<string, unknown>, webhook: Webhook | undefined): unknown {
  if (!webhook || !isObject(given.remind) || !isObject(given.remind.by)) return given;
  const { url } = isObject(webhook.value) ? webhook.value : {};
  // An address that holds a secret is checked where it is known.
  const shown = { url: typeof url === 'string' ? url : 'https://sealed.example' };
  return { ...given, remind: { ...given.remind, by: { ...given.remind.by, webhook: shown } } };
}
