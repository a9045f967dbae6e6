import type { TSchema } from 'typebox';
import type { InputProblem } from '../errors.ts';
import type { Json } from '../wire.ts';
import { approvalWait } from './verbs/approval-wait.ts';
import { http } from './verbs/http.ts';
import { notifyEmail } from './verbs/notify-email.ts';
import { notifyWebhook } from './verbs/notify-webhook.ts';

/** Something that `call` can do. Validation, documentation, the step palette and dispatch all come from this. */
export interface Verb {
  name: string;
  summary: string;
  /** Of the arguments, checked at save and, once expressions are evaluated, at run time. */
  with: TSchema;
  /**
   * What the schema cannot say, at pointers into the arguments; asked as often as the schema. Values that are
   * expressions still are not judged, and no message shows a value: it may be a secret.
   */
  check?(args: Record<string, unknown>): InputProblem[];
  /** Parts of the arguments that the specification has and we do not; nothing else is said of these. */
  refuse?(args: Record<string, unknown>): InputProblem[];
  /** Fills templates from the task's input, before expressions are evaluated. */
  expand?(
    args: Record<string, unknown>,
    input: Json,
  ): { args: Record<string, unknown> } | { problem: string };
  /** A call that is not is never repeated by the platform. */
  idempotent: boolean | ((args: Json) => boolean);
  /** How often it is tried when it is idempotent and may succeed later; the pause doubles each time. */
  retry?: { attempts: number; firstPauseMs: number };
  /** The arguments that may hold secrets, when others are kept or shown as they are; all when absent. */
  secretsIn?: readonly string[];
  /** Over in milliseconds and idempotent: the run does it within its own turn, without a trip to the server. */
  brief?: true;
  /** Where its activity runs. What waits for others is `outbound`, so that it never keeps the platform waiting. */
  queue: 'platform' | 'outbound';
}

export type Verbs = ReadonlyMap<string, Verb>;

const all: Verb[] = [approvalWait, http, notifyEmail, notifyWebhook];

export const verbs: Verbs = new Map(all.map((verb): [string, Verb] => [verb.name, verb]));
