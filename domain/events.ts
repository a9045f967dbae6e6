import { type Static, Type } from 'typebox';
import { AnyJson, literals, Time } from './wire.ts';

export const eventTopics = [
  'jobs',
  'runs',
  'agents',
  'devices',
  'tasks',
  'hosts',
  'models',
  'system',
] as const;
export type EventTopic = (typeof eventTopics)[number];

/** CloudEvents 1.0 attributes that we use. */
export const CloudEvent = Type.Object(
  {
    specversion: Type.Literal('1.0'),
    id: Type.String(),
    source: Type.String({ examples: ['/neosyntis/runs'] }),
    type: Type.String({ examples: ['dev.vareon.run.completed'] }),
    subject: Type.String({ description: 'the id of what it is about' }),
    time: Time,
    data: AnyJson,
  },
  { $id: 'CloudEvent' },
);
export type CloudEvent = Static<typeof CloudEvent>;

/**
 * A frame of `/ws/events`. `seq` grows by one with each event of the installation; `previous` is the `seq` of
 * the event before it that this subscriber may see, so that a subscriber of some topics can tell a gap too. What is not
 * kept (samples of hosts) has the number of the event before it, as `seq` and as `previous`.
 */
export const EventFrame = Type.Object({
  type: Type.Literal('event'),
  seq: Type.Integer(),
  previous: Type.Integer(),
  topic: literals(eventTopics),
  event: CloudEvent,
});
export type EventFrame = Static<typeof EventFrame>;

/** An event as it is stored and goes over the bus. */
export interface StoredEvent {
  seq: number;
  topic: EventTopic;
  /** Whose it is; null for what belongs to the installation. */
  owner_id: string | null;
  event: CloudEvent;
}
