import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import { approvalId } from '../../../domain/neosyntis/approvals.ts';
import type { CallTask } from '../../../domain/neosyntis/dsl.ts';
import { isObject } from '../../../domain/neosyntis/json.ts';
import { stepPlace, type TaskExecutor } from '../engine/scope.ts';
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

/** `approval.wait`: the run asks people and waits; its output is what they said. */
export const waitForApproval: TaskExecutor<CallTask> = async (run, task, input, scope, variables, step) => {
  const given = task.with ?? {};
  const place = stepPlace(scope);
  const id = approvalId(run.runId, place, 'approval');
  const webhook = await webhookOf();
  const args = await run.evaluator.template(withoutSecret(given, webhook), input, variables);
  const reminders = remindersOf(args);
  step.asks(id);
  const name = String(isObject(variables.task) ? variables.task.name : '');
  const asked = run.questions.ask({
    id,
    runId: run.runId,
    ...place,
    name,
    about: { kind: 'approval', args },
  });
  const ended = new CancellationScope();
  // Both only sleep and send: what they throw is that they were ended.
  const beside = ended
    .run(() => Promise.all([remind(), decideAtTimeout()]))
    .catch((error: unknown) => {
      if (!isCancellation(error)) throw error;
    });
  try {
    const { answer, by, at } = await asked;
    const { approved = false, data = null, comment = null } = answer;
    return { output: { approved, by, at, data, comment } };
  } finally {
    ended.cancel();
    await beside;
  }

  /** Its secret is put in where it is sent. */
  async function webhookOf(): Promise<Webhook | undefined> {
    const { by } = isObject(given.remind) ? given.remind : {};
    if (!isObject(by) || by.webhook === undefined) return undefined;
    return sealingTemplate(run.evaluator, by.webhook, input, variables);
  }

  async function remind(): Promise<void> {
    if (!reminders) return;
    const send = createReminder(run, { id, args, place, webhook });
    for (let at = reminders.next(); at; at = reminders.next()) {
      await sleep(Math.max(1, run.questions.askedAt(id) + at.afterMs - Date.now()));
      await send(at.number);
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

/** The arguments as they are checked and kept: without what may hold secrets. */
function withoutSecret(given: Record<string, unknown>, webhook: Webhook | undefined): unknown {
  if (!webhook || !isObject(given.remind) || !isObject(given.remind.by)) return given;
  const { url } = isObject(webhook.value) ? webhook.value : {};
  // An address that holds a secret is checked where it is known.
  const shown = { url: typeof url === 'string' ? url : 'https://sealed.example' };
  return { ...given, remind: { ...given.remind, by: { ...given.remind.by, webhook: shown } } };
}
