import type { Json } from '../../domain/wire.ts';
import type { AnyTask, Catch, Retry } from './document.ts';
import { durationMs } from './durations.ts';
import { type Arguments, holds } from './expressions.ts';
import { type ErrorObject, Fault } from './fault.ts';
import { runList } from './interpreter.ts';
import type { Interpretation, Place, Result } from './strand.ts';

/** `try`, `catch` and `retry` (dsl-reference, "Try", "Retry"). */
export async function runTry(
  run: Interpretation,
  task: AnyTask,
  input: Json,
  place: Place,
  given: () => Arguments,
): Promise<Result> {
  const handler = task.catch ?? {};
  const startedAt = place.strand.ms;
  for (let attempt = 1; ; attempt++) {
    let error: ErrorObject;
    try {
      return await runList(run, task.try ?? [], input, {
        ...place,
        path: `${place.path}/try`,
        attempts: [...place.attempts, attempt],
      });
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      error = thrown.error;
    }
    const caught = { [handler.as ?? 'error']: error as unknown as Json }; // its fields are JSON
    const here = { ...given(), ...caught };
    if (!isLike(error, handler.errors?.with) || !(await admits(handler, input, here))) throw new Fault(error);
    const { retry } = handler;
    if (retry && (await admits(retry, input, here)) && attempt <= (retry.limit?.attempt?.count ?? Infinity)) {
      const pause = durationMs((retry.delay as Json | undefined) ?? 'PT0S') * factor(retry, attempt); // a duration is JSON
      const most = retry.limit?.duration;
      if (most === undefined || place.strand.ms - startedAt + pause <= durationMs(most as Json)) {
        place.strand.ms += pause;
        continue;
      }
    }
    return handle(run, handler, error, input, { ...place, variables: { ...place.variables, ...caught } });
  }
}

async function handle(run: Interpretation, handler: Catch, error: ErrorObject, input: Json, place: Place) {
  const { do: list, then, retry } = handler;
  if (!list && then === undefined && retry) throw new Fault(error);
  const result: Result = list
    ? await runList(run, list, input, { ...place, path: `${place.path}/catch/do` })
    : { output: input };
  return result.directive === undefined && then !== undefined ? { ...result, directive: then } : result;
}

const factor = ({ backoff }: Retry, attempt: number) =>
  backoff?.exponential ? 2 ** (attempt - 1) : backoff?.linear ? attempt : 1;

/** Standard types are the same by their last segment; the generated filters have no others in common. */
function isLike(error: ErrorObject, wanted: NonNullable<Catch['errors']>['with'] = {}): boolean {
  const kind = (type: string | undefined) => type?.split('/').at(-1);
  return (
    (wanted.type === undefined || kind(wanted.type) === kind(error.type)) &&
    (wanted.status === undefined || wanted.status === error.status) &&
    (wanted.instance === undefined || wanted.instance === error.instance)
  );
}

async function admits({ when, exceptWhen }: Catch | Retry, input: Json, given: Arguments): Promise<boolean> {
  if (when !== undefined && !(await holds(when, input, given))) return false;
  return exceptWhen === undefined || !(await holds(exceptWhen, input, given));
}
