import { type Static, Type } from 'typebox';
import { Id, type Json, literals, nullable, Time } from '../wire.ts';

export const hostStatuses = ['online', 'offline'] as const;
export type HostStatus = (typeof hostStatuses)[number];

export type Capabilities = { [name: string]: Json };

/** Names its task queue, topics and folders. `enrolments` is a path of its own below /api/hosts. */
export const HostName = Type.String({
  pattern: '^(?!enrolments$)[a-z0-9][a-z0-9-]{0,62}$',
  description: '1 to 63 small letters, digits and dashes',
  examples: ['lathe'],
});

/** What a person says that a host has, besides what it finds out by itself: scalars by name. */
export const Labels = Type.Record(
  Type.String({ pattern: '^[a-z0-9][a-z0-9_.-]{0,62}$' }),
  Type.Union([Type.String({ maxLength: 200 }), Type.Number(), Type.Boolean()]),
  { maxProperties: 30, examples: [{ gpu: 'a100', rack: 3 }] },
);
export type Labels = Static<typeof Labels>;

/** A worker host: a machine that runs what touches hardware, files and processes. */
export const Host = Type.Object(
  {
    name: Type.String({ examples: ['local'] }),
    status: literals(hostStatuses),
    last_seen: Time,
    capabilities: Type.Unsafe<Capabilities>({
      type: 'object',
      description: 'what the host says that it can do',
      examples: [
        {
          code: true,
          python: '3.11.7',
          node: '24.21.0',
          platform: 'linux',
          cpus: 2,
          memory_bytes: 25_769_803_776,
        },
      ],
    }),
    sessions: Type.Integer({ minimum: 0, description: 'things that it holds now' }),
    labels: Type.Unsafe<Labels>({
      type: 'object',
      description: 'capabilities that its enrolment gave it; they win over what the host says',
      examples: [{ rack: 3 }],
    }),
    enrolled_at: nullable(Time),
  },
  { $id: 'Host' },
);
export type Host = Static<typeof Host>;

export const HostParams = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 63, examples: ['local'] }),
});

/** What a host says over the bus, or its last will for it; the name is the topic's. */
export const HostMessage = Type.Union([
  Type.Object({
    status: Type.Literal('online'),
    /** Of the lease that the host holds; messages of an earlier holder of the name mean nothing. */
    generation: Type.Integer({ minimum: 0 }),
    /** ISO 8601 by the host's own clock: compared with that of the announcement before, never with ours. */
    at: Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z$' }),
    capabilities: Type.Unsafe<Capabilities>(
      Type.Record(Type.String({ maxLength: 100 }), Type.Unknown(), { maxProperties: 50 }),
    ),
    sessions: Type.Integer({ minimum: 0, maximum: 1_000_000 }),
  }),
  Type.Object({ status: Type.Literal('offline'), generation: Type.Integer({ minimum: 0 }) }),
]);
export type HostAnnouncement = Static<typeof HostMessage> & { name: string };

/** The users who may run code on a host, besides those who may on every host. */
export const HostGrants = Type.Object(
  { users: Type.Array(Id, { maxItems: 1_000, uniqueItems: true }) },
  { $id: 'HostGrants', additionalProperties: false },
);
export type HostGrants = Static<typeof HostGrants>;
