import { type Static, Type } from 'typebox';
import { notifyEmail } from '../neosyntis/verbs/notify-email.ts';
import { Preview } from '../system/schedules.ts';
import { AnyJson, Id, literals, nullable, Time } from '../wire.ts';
import { TaskAction } from './task-actions.ts';
import { TaskRun } from './task-runs.ts';

/** What becomes of a tick while the one before goes on. */
export const overlapPolicies = [
  'skip',
  'buffer_one',
  'buffer_all',
  'cancel_other',
  'terminate_other',
  'allow_all',
] as const;
export type OverlapPolicy = (typeof overlapPolicies)[number];

export const toldKinds = ['failed', 'skipped', 'missed'] as const;
export type ToldKind = (typeof toldKinds)[number];

/** A tick that is later is missed, unless its task says otherwise. */
export const USUAL_CATCH_UP_S = 3_600;

const closed = { additionalProperties: false } as const;
const name = Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\u0000]*$' });
const description = Type.String({ maxLength: 10_000, pattern: '^[^\\u0000]*$' });
const schedule = Type.String({
  minLength: 1,
  maxLength: 200,
  description:
    'a cron of 5 fields (6 with seconds first, 7 with the year last), @daily and the like, or `every 10m`',
  examples: ['0 6 * * MON-FRI'],
});
const timezone = Type.String({ minLength: 1, maxLength: 100, examples: ['Europe/Berlin'] });
const overlap = literals(overlapPolicies);
const jitterSeconds = Type.Integer({ minimum: 0, maximum: 86_400 });
const catchUpSeconds = Type.Integer({
  minimum: 10,
  maximum: 31_536_000,
  description: 'a tick that is later than this, since a server was away, is missed',
});
const url = Type.String({ minLength: 1, maxLength: 10_000 });
const on = Type.Array(literals(toldKinds), { maxItems: toldKinds.length });
const email = Type.Array(notifyEmail.with.properties.to.anyOf[0], { maxItems: 20 });

export const TaskNotify = Type.Object({
  on,
  email,
  webhook: nullable(Type.Object({ url, hasSecret: Type.Boolean() })),
});
export type TaskNotify = Static<typeof TaskNotify>;

export const noNotify: TaskNotify = { on: ['failed', 'skipped', 'missed'], email: [], webhook: null };

const NotifyUpdate = Type.Object(
  {
    on: Type.Optional(on),
    email: Type.Optional(email),
    webhook: Type.Optional(
      nullable(
        Type.Object(
          {
            url,
            hasSecret: Type.Optional(Type.Boolean({ description: 'read-only' })),
            secret: Type.Optional(
              nullable(
                Type.String({
                  maxLength: 200,
                  description:
                    'signs what is sent; never shown again. Without it the one before stays, null removes it',
                }),
              ),
            ),
          },
          closed,
        ),
      ),
    ),
  },
  closed,
);
export type NotifyUpdate = Static<typeof NotifyUpdate>;

/** What a task is, as it is saved. */
const saved = {
  name,
  description,
  schedule,
  timezone,
  action: TaskAction,
  enabled: Type.Boolean({ description: 'whether its ticks come; by hand it runs all the same' }),
  overlap,
  jitterSeconds,
  catchUpSeconds,
  startAt: nullable(Time),
  endAt: nullable(Time),
  pauseOnFailure: Type.Boolean(),
  notify: TaskNotify,
};

export const Task = Type.Object(
  {
    id: Id,
    owner_id: Id,
    ...saved,
    agentId: nullable(
      Type.String({ format: 'uuid', description: 'the agent whose `configuration.schedule` it is' }),
    ),
    pausedReason: nullable(Type.String({ description: 'why it was paused, when nobody did' })),
    problem: nullable(Type.String({ description: 'why its ticks do not come, until they do again' })),
    nextRuns: Type.Array(Time, { description: 'up to five; none while it is paused' }),
    lastRun: nullable(TaskRun),
    createdAt: Time,
    updatedAt: Time,
  },
  { $id: 'Task' },
);
export type Task = Static<typeof Task>;

/** An action may also be its JSON in a string, or one word whose target is beside it. */
const action = Type.Unsafe<unknown>({
  description:
    'an object, its JSON as text, or one of the words workflow, script, agent, api, whose target (an id, a script or a URL) is in `target`',
});
const target = Type.Optional(Type.String({ minLength: 1, maxLength: 200_000 }));

const settings = {
  description: Type.Optional(description),
  timezone: Type.Optional(timezone),
  enabled: Type.Optional(saved.enabled),
  overlap: Type.Optional(overlap),
  jitterSeconds: Type.Optional(jitterSeconds),
  catchUpSeconds: Type.Optional(catchUpSeconds),
  startAt: Type.Optional(nullable(Time)),
  endAt: Type.Optional(nullable(Time)),
  pauseOnFailure: Type.Optional(Type.Boolean()),
  notify: Type.Optional(NotifyUpdate),
  target,
};

export const NewTask = Type.Object(
  { name, schedule, action, ...settings },
  {
    additionalProperties: false,
    examples: [
      {
        name: 'nightly check',
        schedule: '0 3 * * *',
        timezone: 'Europe/Berlin',
        action: { type: 'api', url: 'https://example.org/health', expect: { status: [200] } },
      },
    ],
  },
);
export type NewTask = Static<typeof NewTask>;

export const TaskUpdate = Type.Object(
  {
    name: Type.Optional(name),
    schedule: Type.Optional(schedule),
    action: Type.Optional(action),
    ...settings,
    id: Type.Optional(Id),
    owner_id: Type.Optional(Id),
    createdAt: Type.Optional(Time),
    ...Object.fromEntries(
      ['agentId', 'pausedReason', 'problem', 'nextRuns', 'lastRun', 'updatedAt'].map((key) => [
        key,
        Type.Optional({
          ...AnyJson,
          description: 'changes by itself: it may be sent back, and is not looked at',
        }),
      ]),
    ),
  },
  { additionalProperties: false, examples: [{ enabled: false }] },
);
export type TaskUpdate = Static<typeof TaskUpdate>;

export const TaskPreviewRequest = Type.Object(
  { schedule, timezone: Type.Optional(timezone), from: Type.Optional(Time) },
  { additionalProperties: false, examples: [{ schedule: '30 2 * * *', timezone: 'Europe/Berlin' }] },
);

export const TaskPreview = Type.Object(
  { ...Preview.properties, cron: nullable(Type.String({ description: 'as it was read' })) },
  { $id: 'TaskPreview' },
);

export const BACKFILL_LIMIT = 1_000;

export const BackfillRequest = Type.Object(
  { from: Time, to: Time },
  {
    additionalProperties: false,
    examples: [{ from: '2026-11-01T00:00:00.000Z', to: '2026-11-02T00:00:00.000Z' }],
  },
);

export const TaskStarted = Type.Object({ run_id: Id, job_id: Id }, { $id: 'TaskStarted' });
export const TaskBackfilled = Type.Object(
  { run_id: Id, job_id: Id, run_ids: Type.Array(Id) },
  { $id: 'TaskBackfilled', description: '`run_id` is the first of them' },
);
