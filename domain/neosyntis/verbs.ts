import type { TSchema } from 'typebox';
import type { InputProblem } from '../errors.ts';
import type { Json } from '../wire.ts';
import { agentVerbs } from './verbs/agents.ts';
import { approvalWait } from './verbs/approval-wait.ts';
import { deviceJobVerbs } from './verbs/device-jobs.ts';
import { deviceVerbs } from './verbs/devices.ts';
import { http } from './verbs/http.ts';
import { mcp } from './verbs/mcp.ts';
import { notifyEmail } from './verbs/notify-email.ts';
import { notifyWebhook } from './verbs/notify-webhook.ts';
import { openapi } from './verbs/openapi.ts';
import { scriptSource } from './verbs/script-source.ts';
import { telemetryQuery } from './verbs/telemetry-query.ts';
import { telemetryWait } from './verbs/telemetry-wait.ts';

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
  idempotent: boolean | ((args: Json, prepared: Json) => boolean);
  /**
   * It is called twice: first to find out what it is about to do, which changes nothing and may be repeated, then with
   * that. So what it does is known before it is done, and whether it may be repeated.
   */
  prepares?: true;
  /** How often it is tried when it is idempotent and may succeed later; the pause doubles each time. */
  retry?: { attempts: number; firstPauseMs: number };
  /** The arguments that may hold secrets, when others are kept or shown as they are; all when absent. */
  secretsIn?: readonly string[];
  /** Where the arguments say who asks, for `$authorization`: an expression on it is evaluated once that is known. */
  policyIn?: readonly string[];
  /** Of one attempt, unless the step says otherwise; 30 s when absent. */
  timeoutMs?: number;
  /** Over in milliseconds and idempotent: the run does it within its own turn, without a trip to the server. */
  brief?: true;
  /**
   * Where its activity runs. What waits for others is `outbound`, so that it never keeps the platform waiting; what
   * waits for hours and does little meanwhile is `waits`, so that it takes nobody's place.
   */
  queue: 'platform' | 'outbound' | 'waits';
  /** It only waits, for as long as it says itself: Temporal tries it again until then. */
  waits?: true;
}

export type Verbs = ReadonlyMap<string, Verb>;

const all: Verb[] = [
  ...agentVerbs,
  approvalWait,
  ...deviceVerbs,
  ...deviceJobVerbs,
  http,
  mcp,
  notifyEmail,
  notifyWebhook,
  openapi,
  telemetryQuery,
  telemetryWait,
];

const byName = (list: Verb[]): Verbs => new Map(list.map((verb): [string, Verb] => [verb.name, verb]));

/** What a step can call. */
export const verbs: Verbs = byName(all);

/** These, and what tasks do by an activity of the same kind. */
export const activityVerbs: Verbs = byName([...all, scriptSource]);
