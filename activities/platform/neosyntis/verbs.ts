import { ApplicationFailure } from '@temporalio/activity';
import type { ProjectionBatch } from '../../../domain/neosyntis/projection.ts';
import type { Sealed } from '../../../domain/neosyntis/sealed.ts';
import { verbProblem } from '../../../domain/neosyntis/verb-arguments.ts';
import { activityVerbs } from '../../../domain/neosyntis/verbs.ts';
import type { Json } from '../../../domain/wire.ts';
import { queuedMs } from '../../queued.ts';

export interface VerbCall {
  runId: string;
  path: string;
  iteration: number[];
  /** From 1; a step that a `try` runs again is another call. */
  attempt: number;
  verb: string;
  /** Null where `sealed` has an expression. */
  args: Json;
  /** What happened in the run until now and may not be known yet. */
  news?: ProjectionBatch;
  /** Of one attempt; verbs of the outbound queue keep to it. */
  timeoutMs: number;
  /** It is only to find out what it is about to do. */
  prepares?: true;
  /** What it found out. */
  prepared?: Json;
  /** Expressions on secrets, to be evaluated here. */
  sealed?: Sealed;
}

/** What a verb put out, and how long this call was in its queue, when that is known. */
export interface VerbResult {
  output: Json;
  queueMs?: number;
}

/** What a verb does; it is called again after a crash only when the registry says that it is idempotent. */
export type VerbImplementation = (call: VerbCall) => Promise<Json>;

export interface VerbDeps {
  /** Puts a call's secrets into its arguments, and hides them in what the work gives or throws. */
  opened(call: VerbCall, work: (args: Json) => Promise<Json>): Promise<Json>;
  /** Makes known what happened in the run. */
  tell(news: ProjectionBatch): Promise<void>;
}

/** The verbs of the registry that the platform runs, by name. */
export function createVerbActivities(
  implementations: Record<string, VerbImplementation>,
  { opened, tell }: VerbDeps,
) {
  return {
    async callVerb({ news, ...call }: VerbCall): Promise<VerbResult> {
      const queued = queuedMs();
      const verb = activityVerbs.get(call.verb);
      const implementation = implementations[call.verb];
      if (!verb || !implementation)
        throw ApplicationFailure.nonRetryable(`This worker has no verb "${call.verb}".`, 'configuration');
      const { sealed: _unread, ...plain } = call;
      const work = () =>
        opened(call, async (args) => {
          const problem = verbProblem(verb, args);
          if (problem) throw ApplicationFailure.nonRetryable(`${call.verb}: ${problem}`, 'invalid');
          return implementation({ ...plain, args });
        });
      return { output: await meanwhile(() => news && tell(news), work), ...queued };
    },
  };
}

/** What takes longer than this should be seen to be under way. */
const TELL_AFTER_MS = 20;

/** Does the work; what happened before it is told when the work takes its time, or else later with other news. */
async function meanwhile<T>(tell: () => Promise<void> | undefined, work: () => Promise<T>): Promise<T> {
  // Nobody waits for it, and a failure is no loss: it is a hint, and the run sends the same again.
  const timer = setTimeout(() => void tell()?.catch(() => {}), TELL_AFTER_MS);
  try {
    return await work();
  } finally {
    clearTimeout(timer);
  }
}

export type VerbActivities = ReturnType<typeof createVerbActivities>;
