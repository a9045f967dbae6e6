import { Value } from 'typebox/value';
import type { AgentRepository } from '../../db/myntrix/agents.ts';
import { hindrance } from '../../db/myntrix/task-attempts.ts';
import { notifyOf, type StoredTask, type TaskSettings } from '../../db/myntrix/tasks.ts';
import type { CheckedDefinition } from '../../db/neosyntis/workflow-versions.ts';
import type { WorkflowRepository } from '../../db/neosyntis/workflows.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError, type InputProblem } from '../../domain/errors.ts';
import {
  actionSchemas,
  actionTypes,
  isActionType,
  readAction,
  type TaskAction,
} from '../../domain/myntrix/task-actions.ts';
import { readSchedule } from '../../domain/myntrix/task-schedule.ts';
import { stepsOf } from '../../domain/myntrix/task-steps.ts';
import { type NewTask, noNotify, type TaskUpdate } from '../../domain/myntrix/tasks.ts';
import { isObject } from '../../domain/neosyntis/json.ts';
import { urlProblem } from '../../domain/outbound/request-rules.ts';
import type { Bounds, Recurring } from '../../domain/system/schedules.ts';
import type { Json } from '../../domain/wire.ts';
import { patternProblem, zoneProblem } from '../../drivers/schedules/cron.ts';
import { nextTimes } from '../../drivers/schedules/times.ts';
import { type Definitions, requireCode } from '../neosyntis/definitions.ts';

export interface TaskSettingsDeps {
  agents: Pick<AgentRepository, 'get' | 'mayRunOn'>;
  workflows: Pick<WorkflowRepository, 'version'>;
  definitions: Pick<Definitions, 'check'>;
  /** Runs the scripts that name no host. */
  defaultHost: string;
}

const USUAL_CATCH_UP_S = 3_600;

/** Reads what people send of a task, and checks all of it as it will be saved. */
export function createTaskSettings({ agents, workflows, definitions, defaultHost }: TaskSettingsDeps) {
  /** @throws AppError `invalid` with every problem; `forbidden` when they may not do that */
  async function checkAction(
    user: Principal,
    task: { name: string; ownerId: string },
    action: TaskAction,
    path: string,
  ): Promise<CheckedDefinition | undefined> {
    const lacks = hindrance(user, action);
    if (lacks !== undefined)
      throw new AppError('forbidden', lacks.replace('The task’s owner has', 'You have'));
    if (action.type === 'workflow') await checkWorkflow(user, task.ownerId, action, path);
    if (action.type === 'agent') await checkAgent(user, action, path);
    if (action.type === 'script') await requireHost(user, action.host ?? defaultHost);
    if (action.type === 'api') {
      const problem = urlProblem(action.url);
      if (problem !== undefined) throw invalid([{ path: `${path}/url`, message: problem }]);
    }
    const steps = stepsOf(action);
    if (!steps) return undefined;
    try {
      const { secrets: _, ...definition } = definitions.check(user, task.name, steps, { sources: {} });
      return definition;
    } catch (error) {
      if (!(error instanceof AppError) || !error.details.errors) throw error;
      throw invalid(error.details.errors.map(({ message }) => ({ path, message })));
    }
  }

  async function checkWorkflow(
    user: Principal,
    ownerId: string,
    { workflowId, version }: Extract<TaskAction, { type: 'workflow' }>,
    path: string,
  ): Promise<void> {
    const owner = { ...user, userId: ownerId, isAdmin: user.isAdmin && user.userId === ownerId };
    try {
      const { usesCode } = await workflows.version(owner, workflowId, version);
      requireCode(user, usesCode);
    } catch (error) {
      throw gone(error, path === '/target' ? path : `${path}/${version === undefined ? 'workflowId' : ''}`);
    }
  }

  async function checkAgent(
    user: Principal,
    { agentId, command }: Extract<TaskAction, { type: 'agent' }>,
    path: string,
  ): Promise<void> {
    try {
      const { host } = await agents.get(agentId);
      if (command !== 'stop') await requireHost(user, host);
    } catch (error) {
      throw gone(error, path === '/target' ? path : `${path}/agentId`);
    }
  }

  async function requireHost(user: Principal, host: string): Promise<void> {
    if (user.permissions.has('neosyntis:workflows:execute_code') && (await agents.mayRunOn(user, host)))
      return;
    throw new AppError(
      'forbidden',
      `It is code that runs on host "${host}", which you may not; an administrator can grant it.`,
    );
  }

  return {
    /** @throws AppError `invalid` with every problem; `forbidden` */
    async ofNew(user: Principal, body: NewTask): Promise<TaskSettings> {
      return settings(user, user.userId, undefined, body);
    },
    /** @param body without what cannot be written */
    ofUpdate: (user: Principal, before: StoredTask, body: TaskUpdate): Promise<TaskSettings> =>
      settings(user, before.owner_id, before, body),
  };

  async function settings(
    user: Principal,
    ownerId: string,
    before: StoredTask | undefined,
    body: NewTask | TaskUpdate,
  ): Promise<TaskSettings> {
    const {
      name = before?.name ?? '',
      description = before?.description ?? '',
      schedule = before?.schedule ?? '',
      timezone = before?.timezone ?? 'UTC',
      enabled = before?.enabled ?? true,
      overlap = before?.overlap ?? 'skip',
      jitterSeconds = before?.jitterSeconds ?? 0,
      catchUpSeconds = before?.catchUpSeconds ?? USUAL_CATCH_UP_S,
      startAt = before?.startAt ?? null,
      endAt = before?.endAt ?? null,
      pauseOnFailure = before?.pauseOnFailure ?? false,
    } = body;
    const times = { startAt: iso(startAt), endAt: iso(endAt) };
    const isOther =
      before === undefined || ['schedule', 'timezone', 'startAt', 'endAt'].some((key) => key in body);
    const { timing, problems } = timingOf(
      schedule,
      timezone,
      { ...times, jitterSeconds, catchUpSeconds },
      isOther,
    );
    const { action, path, problems: wrong } = actionOf(body, before?.action);
    if (!timing || !action || problems.length + wrong.length > 0) throw invalid([...problems, ...wrong]);
    const notify = notifyOf(before?.notify ?? noNotify, body.notify ?? {});
    if (notify.webhook) {
      const problem = urlProblem(notify.webhook.url);
      if (problem !== undefined) throw invalid([{ path: '/notify/webhook/url', message: problem }]);
    }
    const isOtherAction = before === undefined || body.action !== undefined || name !== before.name;
    const definition = isOtherAction ? await checkAction(user, { name, ownerId }, action, path) : undefined;
    return {
      ...{ name, description, schedule, timezone, timing, action, definition, enabled, overlap },
      ...{ jitterSeconds, catchUpSeconds, ...times, pauseOnFailure, notify },
      secret: body.notify?.webhook?.secret,
    };
  }
}

export type TaskSettingsReader = ReturnType<typeof createTaskSettings>;

const iso = (time: string | null): string | null => (time === null ? null : new Date(time).toISOString());

interface Limits {
  startAt: string | null;
  endAt: string | null;
  jitterSeconds: number;
  catchUpSeconds: number;
}

/** @param isOther whether it has to come at all: one that is over may be changed otherwise */
function timingOf(
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

function actionOf(
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

const invalid = (errors: InputProblem[]): AppError =>
  new AppError('invalid', `The task has ${errors.length} problem(s): ${errors[0]?.message}`, { errors });

function gone(error: unknown, path: string): unknown {
  return error instanceof AppError && error.code === 'not_found'
    ? invalid([{ path: path.replace(/\/$/, ''), message: error.message }])
    : error;
}
