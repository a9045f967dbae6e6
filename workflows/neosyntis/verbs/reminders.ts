import { isCancellation, log } from '@temporalio/workflow';
import { type DurationObject, durationMs } from '../../../domain/neosyntis/duration.ts';
import { isObject } from '../../../domain/neosyntis/json.ts';
import type { Sealed } from '../../../domain/neosyntis/sealed.ts';
import { REMIND_EVERY_MS, REMINDERS_LIMIT } from '../../../domain/neosyntis/verbs/approval-wait.ts';
import type { Json } from '../../../domain/wire.ts';
import { failure } from '../engine/problem.ts';
import type { RunContext, StepPlace } from '../engine/scope.ts';

export interface Webhook {
  /** `{url, secret?}`; null where `sealed` has an expression. */
  value: Json;
  sealed?: Sealed;
}

/** When to remind, in ms after the question was asked; nothing when nobody is to be. */
export function remindersOf(
  args: Json,
  sent: number,
): { next(): { number: number; afterMs: number } | undefined } | undefined {
  const remind = isObject(args) ? args.remind : undefined;
  if (!isObject(remind)) return undefined;
  const every = msOf(remind.every, 'every');
  if (every !== undefined && every < REMIND_EVERY_MS)
    throw failure('validation', 'remind.every must be a minute or longer.');
  const first = msOf(remind.after, 'after') ?? every ?? 0;
  let number = sent;
  return {
    next() {
      if (number >= (every === undefined ? 1 : REMINDERS_LIMIT)) return undefined;
      number++;
      return { number, afterMs: first + (every ?? 0) * (number - 1) };
    },
  };
}

function msOf(value: unknown, what: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  const ms =
    typeof value === 'string' || isObject(value)
      ? durationMs(value as string | DurationObject) // what is no unit of it is refused when the question is asked
      : { problem: 'is not a duration' };
  if (typeof ms === 'number' && Number.isFinite(ms)) return ms;
  throw failure(
    'validation',
    `remind.${what}: ${typeof ms === 'number' ? 'is not a duration' : ms.problem}.`,
  );
}

/** Sends one reminder by mail and webhook; what cannot be sent is logged, and the run goes on waiting. */
export function createReminder(
  run: RunContext,
  question: { id: string; args: Json; place: StepPlace; webhook: Webhook | undefined },
) {
  const { id, args, place, webhook } = question;
  const { title, message = '', remind } = isObject(args) ? args : {};
  const { by } = isObject(remind) ? remind : {};
  const to = isObject(by) ? by.email : undefined;
  const subject = `Waiting for an answer: ${typeof title === 'string' ? title : place.path}`.slice(0, 200);
  const how = `Answer with POST /api/neosyntis/approvals/${id} {"approved": true} or {"approved": false}.`;

  async function call(number: number, verb: string, given: Json, sealed?: Sealed): Promise<void> {
    try {
      await run.callVerb(verb, given, {
        path: `${place.path}/with/remind`,
        iteration: [...place.iteration, number],
        attempt: place.attempt,
        timeoutMs: undefined,
        ...(sealed ? { sealed } : {}),
      });
    } catch (error) {
      if (isCancellation(error)) throw error;
      log.warn('a reminder could not be sent', { error, verb, id });
    }
  }

  return async (number: number): Promise<void> => {
    if (to !== undefined && to !== null)
      await call(number, 'notify.email', {
        to: to as Json, // evaluated arguments are JSON
        subject: subject.replaceAll(/[\r\n]/g, ' '),
        text: `${String(message)}\n\n${how}\nRun ${run.runId}, step ${place.path}, reminder ${number}.\n`.slice(
          0,
          20_000,
        ),
      });
    if (!webhook || !isObject(webhook.value)) return;
    const approval = {
      id,
      run_id: run.runId,
      path: place.path,
      title: subject,
      message: message as Json,
      reminder: number,
    };
    const body = { type: 'approval.reminder', data: approval };
    await call(
      number,
      'notify.webhook',
      { ...(webhook.value as { [key: string]: Json }), body },
      webhook.sealed,
    );
  };
}
