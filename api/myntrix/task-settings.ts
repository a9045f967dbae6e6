import type { AgentRepository } from '../../db/myntrix/agents.ts';
import { hindrance } from '../../db/myntrix/task-owner.ts';
import type { TaskSettings } from '../../db/myntrix/task-write.ts';
import { notifyOf, type StoredTask } from '../../db/myntrix/tasks.ts';
import type { CheckedDefinition } from '../../db/neosyntis/workflow-versions.ts';
import type { WorkflowRepository } from '../../db/neosyntis/workflows.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { TaskAction } from '../../domain/myntrix/task-actions.ts';
import { stepsOf } from '../../domain/myntrix/task-steps.ts';
import { type NewTask, noNotify, type TaskUpdate, USUAL_CATCH_UP_S } from '../../domain/myntrix/tasks.ts';
import { urlProblem } from '../../domain/outbound/request-rules.ts';
import { type Definitions, requireCode } from '../neosyntis/definitions.ts';
import { actionOf, invalid, iso, timingOf } from './task-input.ts';

export interface TaskSettingsDeps {
  agents: Pick<AgentRepository, 'get' | 'mayRunOn'>;
  workflows: Pick<WorkflowRepository, 'version'>;
  definitions: Pick<Definitions, 'check'>;
  /** Runs the scripts that name no host. */
  defaultHost: string;
}

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

function gone(error: unknown, path: string): unknown {
  return error instanceof AppError && error.code === 'not_found'
    ? invalid([{ path: path.replace(/\/$/, ''), message: error.message }])
    : error;
}
