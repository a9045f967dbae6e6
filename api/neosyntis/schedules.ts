import type { WorkflowSchedule, WorkflowScheduleRepository } from '../../db/neosyntis/schedules.ts';
import type { WorkflowRepository } from '../../db/neosyntis/workflows.ts';
import { AppError, type InputProblem } from '../../domain/errors.ts';
import { durationProblem } from '../../domain/neosyntis/dsl/schedule.ts';
import { durationMs } from '../../domain/neosyntis/duration.ts';
import {
  NewSchedule,
  Preview,
  PreviewRequest,
  type Recurring,
  Schedule,
  type Timing,
} from '../../domain/system/schedules.ts';
import { IdParams } from '../../domain/wire.ts';
import { cronProblem, zoneProblem } from '../../drivers/schedules/cron.ts';
import { preview } from '../../drivers/schedules/preview.ts';
import { nextTimes } from '../../drivers/schedules/times.ts';
import { noContent, ok, type Route, route } from '../http/route.ts';
import type { Definitions } from './definitions.ts';

const base = '/api/neosyntis/workflows/{id}/schedule';
const NEXT = 10;

export interface ScheduleRouteDeps {
  schedules: WorkflowScheduleRepository;
  workflows: Pick<WorkflowRepository, 'update'>;
  definitions: Pick<Definitions, 'checkSchedule'>;
  /** Brings Temporal in line after a change. */
  follow(workflowId: string): Promise<void>;
}

export const createScheduleRoutes = ({
  schedules,
  workflows,
  definitions,
  follow,
}: ScheduleRouteDeps): Route[] => [
  route({
    method: 'GET',
    path: base,
    access: 'neosyntis:workflows:read',
    summary: 'Read when a workflow runs by itself',
    description: 'What its last tick did, the next ones, and why it does not run if it does not.',
    params: IdParams,
    answers: { 200: { description: 'the schedule of its newest version', schema: Schedule } },
    handler: async ({ user, params }) => ok(shown(await schedules.get(user, params.id))),
  }),
  route({
    method: 'PUT',
    path: base,
    access: 'neosyntis:workflows:write',
    summary: 'Say when a workflow runs by itself',
    description: 'Exactly one of `every`, `cron`, `after` and `on`; it makes a new version of the workflow.',
    params: IdParams,
    body: NewSchedule,
    answers: { 200: { description: 'the schedule as it is now', schema: Schedule } },
    errors: ['rate_limited'],
    async handler({ user, params, body }) {
      await workflows.update(user, params.id, (current, document) => ({
        definition: { ...definitions.checkSchedule(user, document, body), steps: current.steps },
      }));
      await follow(params.id);
      return ok(shown(await schedules.get(user, params.id)));
    },
  }),
  route({
    method: 'DELETE',
    path: base,
    access: 'neosyntis:workflows:write',
    summary: 'Let a workflow run by itself no more',
    description: 'It makes a new version without a schedule; runs that began go on.',
    params: IdParams,
    answers: { 204: { description: 'it has no schedule' } },
    errors: ['rate_limited'],
    async handler({ user, params }) {
      await schedules.get(user, params.id);
      await workflows.update(user, params.id, (current, document) => ({
        definition: { ...definitions.checkSchedule(user, document, undefined), steps: current.steps },
      }));
      await follow(params.id);
      return noContent();
    },
  }),
  ...(['pause', 'resume'] as const).map((verb) =>
    route({
      method: 'POST',
      path: `${base}/${verb}`,
      access: 'neosyntis:workflows:write',
      summary: verb === 'pause' ? 'Pause a workflow’s schedule' : 'Resume a workflow’s schedule',
      description:
        verb === 'pause'
          ? 'No run begins by itself from now on; those that began go on. It stays over new versions.'
          : 'What would have come meanwhile is not made up for.',
      params: IdParams,
      answers: { 200: { description: 'the schedule as it is now', schema: Schedule } },
      async handler({ user, params }) {
        const schedule = await schedules.setPaused(user, params.id, verb === 'pause');
        await follow(params.id);
        return ok(shown(schedule));
      },
    }),
  ),
  route({
    method: 'POST',
    path: '/api/neosyntis/schedules/preview',
    access: 'neosyntis:workflows:read',
    summary: 'See when a schedule would come',
    description: 'Exactly one of `cron` and `every`; ten times from now, or after `from`.',
    body: PreviewRequest,
    answers: { 200: { description: 'the times, and changes of the clock among them', schema: Preview } },
    audit: false,
    async handler({ body }) {
      const { timing, from } = asked(body);
      return ok(preview(timing, from, NEXT));
    },
  }),
];

function shown({ timing, since, paused, last, problem, openSets }: WorkflowSchedule): Schedule {
  const { kind, ...when } = timing;
  const sets = timing.kind === 'on' && timing.on.all ? { open_sets: openSets } : {};
  return {
    timezone: 'UTC',
    ...when,
    ...sets,
    paused,
    next: paused ? [] : nextOf(timing, since),
    last,
    problem,
  };
}

function nextOf(timing: Timing, since: WorkflowSchedule['since']): string[] {
  const now = new Date();
  if (timing.kind === 'on') return [];
  if (timing.kind !== 'after') return nextTimes(timing, now, NEXT).map((time) => time.toISOString());
  if (since === 'open') return [];
  const due = since === 'nothing' ? now : new Date(since.getTime() + timing.after_ms);
  return [(due < now ? now : due).toISOString()];
}

/** @throws AppError `invalid` with every problem */
function asked({ cron, every, timezone = 'UTC', from }: PreviewRequest) {
  const errors: InputProblem[] = [];
  const note = (path: string, message: string | undefined) => {
    if (message !== undefined) errors.push({ path, message });
  };
  if ((cron === undefined) === (every === undefined)) note('', 'needs exactly one of cron and every');
  note('/timezone', zoneProblem(timezone));
  if (cron !== undefined) note('/cron', cronProblem(cron, timezone));
  note('/every', durationProblem(every, 'every'));
  const [first] = errors;
  if (first)
    throw new AppError('invalid', `The schedule has ${errors.length} problem(s): ${first.message}`, {
      errors,
    });
  const everyMs = every === undefined ? 0 : Number(durationMs(every)); // its problem was asked for
  const timing: Recurring =
    cron === undefined ? { kind: 'every', every_ms: everyMs } : { kind: 'cron', cron, timezone };
  return { timing, from: from === undefined ? new Date() : new Date(from) };
}
