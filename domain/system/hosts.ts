import { type Static, Type } from 'typebox';
import { type Json, literals, Time } from '../wire.ts';

export const hostStatuses = ['online', 'offline'] as const;
export type HostStatus = (typeof hostStatuses)[number];

export type Capabilities = { [name: string]: Json };

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
    /** ISO 8601 by the host's own clock: compared with that of the announcement before, never with ours. */
    at: Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z$' }),
    capabilities: Type.Unsafe<Capabilities>(
      Type.Record(Type.String({ maxLength: 100 }), Type.Unknown(), { maxProperties: 50 }),
    ),
    sessions: Type.Integer({ minimum: 0, maximum: 1_000_000 }),
  }),
  Type.Object({ status: Type.Literal('offline') }),
]);
export type HostAnnouncement = Static<typeof HostMessage> & { name: string };
