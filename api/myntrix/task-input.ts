import { Value } from 'typebox/value';
import { AppError, type InputProblem } from '../../domain/errors.ts';
import {
  actionSchemas,
  actionTypes,
  isActionType,
  readAction,
  type TaskAction,
} from '../../domain/myntrix/task-actions.ts';
import { readSchedule } from '../../domain/myntrix/task-schedule.ts';
import { isObject } from '../../domain/neosyntis/json.ts';
import type { Bounds, Recurring } from '../../domain/system/schedules.ts';
import type { Json } from '../../domain/wire.ts';
import { patternProblem, zoneProblem } from '../../drivers/schedules/cron.ts';
import { nextTimes } from '../../drivers/schedules/times.ts';

export const iso = (time: string | null): string | null =>
  time === null ? null : new Date(time).toISOString();

interface Limits {
  startAt: string | null;
  endAt: string | null;
  jitterSeconds: number;
  catchUpSeconds: number;
}

/** @param isOther whether it has to come at all: one that is over may be changed otherwise */
export function timingOf(
  schedule: string,
  timezone: string,
  { startAt, endAt, jitterSeconds, catchUpSeconds }: Limits,
  isOther: boolean,
): { timing?: Recurring; problems: InputProblem[] } {
  const bounds: Bounds = {
    catch_up_ms: catchUpSeconds * 1_000,
    ...(jitterSeconds > 0 ? { jitter_ms: jitterSeconds * 1_000 } : {}),
    ...(startAt === null ? {} : { starts_at: startAt }),
    ...(endAt === null ? {} : { ends_at: endAt }),
  };
  const { timing, problems } = scheduleOf(schedule, timezone, bounds);
  if (startAt !== null && endAt !== null && startAt > endAt)
    problems.push({ path: '/endAt', message: `${endAt} is before startAt, ${startAt}` });
  if (isOther && timing && problems.length === 0 && nextTimes(timing, new Date(), 1).length === 0)
    problems.push({ path: '/schedule', message: `"${schedule}" does not come any more before ${endAt}` });
  return { problems, ...(timing ? { timing } : {}) };
}

/** What somebody wrote of when it comes, with every problem of it. */
export function scheduleOf(
  schedule: string,
  timezone: string,
  bounds: Bounds = {},
): { timing?: Recurring; problems: InputProblem[] } {
  const problems: InputProblem[] = [];
  const wrongZone = zoneProblem(timezone);
  if (wrongZone !== undefined) problems.push({ path: '/timezone', message: wrongZone });
  const read = readSchedule(schedule, timezone, bounds);
  const wrong =
    'problem' in read
      ? read.problem
      : read.kind === 'cron' && wrongZone === undefined
        ? patternProblem(read.cron, timezone)
        : undefined;
  if (wrong !== undefined) problems.push({ path: '/schedule', message: wrong });
  return { problems, ...('problem' in read ? {} : { timing: read }) };
}

export function actionOf(
  { action: sent, target }: { action?: unknown; target?: string },
  before: TaskAction | undefined,
): { action?: TaskAction; path: string; problems: InputProblem[] } {
  if (sent === undefined && before)
    return target === undefined
      ? { action: before, path: '/action', problems: [] }
      : {
          path: '/target',
          problems: [{ path: '/target', message: 'goes with an `action` that is one word' }],
        };
  const read = readAction(sent, target);
  if ('problems' in read) return { path: '/action', problems: read.problems };
  const { value, path } = read;
  const problems = shapeProblems(value, path);
  return problems.length > 0 ? { path, problems } : { action: value as TaskAction, path, problems }; // it was checked
}

/** A problem is told of the kind of action that it says it is. */
function shapeProblems(value: Json, path: string): InputProblem[] {
  const type = isObject(value) ? value.type : undefined;
  if (!isActionType(type))
    return [{ path: `${path}/type`, message: `must be one of ${actionTypes.join(', ')}` }];
  return [...Value.Errors(actionSchemas[type], value)].slice(0, 20).map(({ instancePath, message }) => ({
    path: path === '/target' ? path : `${path}${instancePath}`,
    message,
  }));
}

export const invalid = (errors: InputProblem[]): AppError =>
  new AppError('invalid', `The task has ${errors.length} problem(s): ${errors[0]?.message}`, { errors });
