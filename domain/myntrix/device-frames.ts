import { type Static, Type } from 'typebox';
import { AnyJson, literals, nullable, Time } from '../wire.ts';
import { DEVICE_LINES, DEVICE_METRICS, logDirections, logLevels } from './host-telemetry.ts';

/** How often a client can be told at most; more often than the batches of hosts come is all of them. */
const MAX_HZ = 100;
export const SUBSCRIBED_METRICS = 200;
/** Readings that one message of a gateway has at most. */
export const GATEWAY_READINGS = 1_000;

const closed = { additionalProperties: false } as const;
const Metric = Type.String({ minLength: 1, maxLength: 200 });

const Reading = Type.Object({ metric: Type.String(), value: Type.Number(), timestamp: Time });

const LogFields = {
  direction: literals(logDirections),
  level: literals(logLevels),
  line: Type.String(),
  timestamp: Time,
};

const StateFields = {
  status: Type.String(),
  reason: Type.Optional(nullable(Type.String())),
  activity: Type.Optional(Type.String({ description: 'what the device says that it is doing' })),
  timestamp: Time,
};

const covers = {
  seq: Type.Integer(),
  from_seq: Type.Optional(
    Type.Integer({ description: 'the first number that this covers, when it is not `seq` alone' }),
  ),
};

/** What `/ws/myntrix/telemetry/{deviceId}` sends. */
export const DeviceFrame = Type.Union([
  Type.Object({
    type: Type.Literal('snapshot'),
    seq: Type.Integer({ description: 'what follows has the next number' }),
    device: AnyJson,
    latest: Type.Record(Type.String(), Type.Object({ value: Type.Number(), timestamp: Time })),
    logs: Type.Optional(
      Type.Array(Type.Object(LogFields), {
        description: `the newest lines, ${DEVICE_LINES} at most, oldest first, for who wants lines`,
      }),
    ),
    gap: Type.Optional(
      Type.Literal(true, { description: 'something may have been missed: this is what is known now' }),
    ),
  }),
  Type.Object({
    type: Type.Literal('telemetry'),
    ...covers,
    to_seq: Type.Optional(
      Type.Integer({ description: 'of a frame that has the newest value of each metric instead of all' }),
    ),
    readings: Type.Array(Reading),
    logs: Type.Optional(Type.Array(Type.Object(LogFields), { description: 'with `to_seq`' })),
    logs_cut: Type.Optional(Type.Literal(true, { description: 'there were more lines' })),
    state: Type.Optional(Type.Object(StateFields)),
  }),
  Type.Object({ type: Type.Literal('log'), ...covers, ...LogFields }),
  Type.Object({ type: Type.Literal('state'), ...covers, ...StateFields }),
  Type.Object({
    type: Type.Literal('stored'),
    accepted: Type.Integer(),
    duplicates: Type.Integer(),
    rejected: Type.Array(Type.Object({ row: Type.Integer(), problem: Type.String() })),
  }),
  Type.Object({ type: Type.Literal('error'), code: Type.String(), detail: Type.String() }),
]);
export type DeviceFrame = Static<typeof DeviceFrame>;

/** What a client wants to be told of. */
export const Subscribe = Type.Object(
  {
    type: Type.Literal('subscribe'),
    metrics: Type.Optional(Type.Array(Metric, { maxItems: SUBSCRIBED_METRICS })),
    max_hz: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: MAX_HZ })),
    logs: Type.Optional(Type.Boolean()),
  },
  closed,
);
export type Subscribe = Static<typeof Subscribe>;

/** Readings that a device or gateway sends by itself; each is looked at alone. */
export const SentTelemetry = Type.Object(
  { type: Type.Literal('telemetry'), readings: Type.Array(Type.Unknown(), { maxItems: GATEWAY_READINGS }) },
  closed,
);

/** What one client wants, in one shape for all that want the same. */
export interface View {
  /** In order; all when absent. */
  metrics: readonly string[] | undefined;
  maxHz: number | undefined;
  logs: boolean;
}

export const everything: View = { metrics: undefined, maxHz: undefined, logs: true };

export const viewOf = ({ metrics, max_hz, logs = true }: Subscribe): View => ({
  metrics: metrics && [...new Set(metrics)].sort().slice(0, DEVICE_METRICS),
  maxHz: max_hz,
  logs,
});

export const viewKey = (view: View): string =>
  JSON.stringify([view.metrics ?? null, view.maxHz ?? 0, view.logs]);
