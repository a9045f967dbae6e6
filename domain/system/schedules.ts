import { type Static, Type } from 'typebox';
import { EventStrategy } from '../neosyntis/dsl/event-strategy.ts';
import { type Reading, readings } from '../neosyntis/dsl/listen.ts';
import { AnyJson, Id, literals, nullable, Time } from '../wire.ts';

/** What has a schedule: each kind says in its own words what a tick does. */
export type ScheduleKind = 'workflow' | 'task';

/** Between which times something comes by itself, and how exactly; times are ISO 8601. */
export interface Bounds {
  /** Not before this, and not after that. */
  starts_at?: string;
  ends_at?: string;
  /** A tick comes up to so much later, by chance; its nominal time stays. */
  jitter_ms?: number;
  /** As `catchUpMs` gives it. */
  catch_up_ms?: number;
}

/** When something is begun, as it was checked. A cron may have seconds before its five fields, and a year after them. */
export type Timing =
  | ({ kind: 'every'; every_ms: number } & Bounds)
  | ({ kind: 'cron'; cron: string; timezone: string } & Bounds)
  | { kind: 'after'; after_ms: number }
  | { kind: 'on'; on: EventStrategy; read: Reading };

/** What comes at times that can be told. */
export type Recurring = Extract<Timing, { kind: 'every' | 'cron' }>;

/** What is wanted of Temporal for one schedule. */
export interface WantedSchedule {
  /** The schedule's id in Temporal. */
  id: string;
  kind: ScheduleKind;
  timing: Timing;
  paused: boolean;
  /** It is to be taken away. */
  removed: boolean;
}

/** Nobody needs an `every` that is faster, and Temporal counts in whole seconds. */
export const SHORTEST_MS = 1_000;

/**
 * A tick that could not be taken in time, since a server was away, is made up for when it is at most this late;
 * else it is missed. Of many a second nobody wants an hour's worth at once.
 */
export function catchUpMs(timing: Timing): number {
  if (timing.kind !== 'cron' && timing.kind !== 'every') return Number.POSITIVE_INFINITY;
  return timing.catch_up_ms ?? (timing.kind === 'cron' ? 3_600_000 : 60_000);
}

/** How late a tick may come at most: chance may add to it. */
export const latestMs = (timing: Recurring): number => catchUpMs(timing) + (timing.jitter_ms ?? 0);

/** Whether a tick is left out while what the one before began still goes on. */
export const skipsWhileOpen = (timing: Timing): boolean => timing.kind === 'cron';

export const tickOutcomes = ['started', 'skipped', 'missed', 'failed'] as const;
export type TickOutcome = (typeof tickOutcomes)[number];

/** As the specification's durations come out. */
const Milliseconds = Type.Integer({ minimum: SHORTEST_MS });

export const Schedule = Type.Object(
  {
    every_ms: Type.Optional(Milliseconds),
    cron: Type.Optional(Type.String()),
    after_ms: Type.Optional(Milliseconds),
    on: Type.Optional(EventStrategy),
    read: Type.Optional(literals(readings)),
    open_sets: Type.Optional(
      Type.Integer({ description: 'of `on.all`: sets of events of which some are still missing' }),
    ),
    timezone: Type.String({ description: 'in which `cron` is read', examples: ['Europe/Berlin'] }),
    paused: Type.Boolean(),
    next: Type.Array(Time, {
      description:
        'up to ten; none of `on`, while it is paused, or while the run is open that `after` counts from',
    }),
    last: nullable(
      Type.Object(
        {
          at: Type.String({
            format: 'date-time',
            description: 'the nominal time of the tick; of `on`, when the last of its events came',
          }),
          outcome: literals(tickOutcomes),
          reason: nullable(Type.String()),
          run_id: nullable(Id),
        },
        { description: 'the last tick; `run_id` is of the last one that started a run' },
      ),
    ),
    problem: nullable(
      Type.String({ description: 'why the schedule does not do what it should, until it does again' }),
    ),
  },
  { $id: 'Schedule', additionalProperties: false },
);
export type Schedule = Static<typeof Schedule>;

/** As in a document, with the zone that a document has in its metadata. */
export const NewSchedule = Type.Object(
  {
    every: Type.Optional(AnyJson),
    cron: Type.Optional(AnyJson),
    after: Type.Optional(AnyJson),
    on: Type.Optional(AnyJson),
    read: Type.Optional(AnyJson),
    timezone: Type.Optional(AnyJson),
  },
  { additionalProperties: false, examples: [{ cron: '0 6 * * MON-FRI', timezone: 'Europe/Berlin' }] },
);
export type NewSchedule = Static<typeof NewSchedule>;

export const PreviewRequest = Type.Object(
  {
    cron: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    every: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'ISO 8601' })),
    timezone: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    from: Type.Optional(Time),
  },
  { additionalProperties: false, examples: [{ cron: '30 2 * * *', timezone: 'Europe/Berlin' }] },
);

export type PreviewRequest = Static<typeof PreviewRequest>;

export const Preview = Type.Object(
  {
    timezone: Type.String(),
    next: Type.Array(
      Type.Object({ at: Time, local: Type.String({ examples: ['2027-03-28T03:00:00+02:00'] }) }),
    ),
    clock_changes: Type.Array(
      Type.Object({
        at: Time,
        from: Type.String({ examples: ['+01:00'] }),
        to: Type.String({ examples: ['+02:00'] }),
        message: Type.String(),
      }),
      { description: 'changes of the clock up to the last of these times' },
    ),
  },
  { $id: 'SchedulePreview' },
);
export type Preview = Static<typeof Preview>;
