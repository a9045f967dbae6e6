import { Type } from 'typebox';
import { type Json, literals } from '../wire.ts';
import type { WorkflowEvent } from './cloud-event.ts';
import type { Reading } from './dsl/listen.ts';

/** What a run is sent by the signal `events`; `seq` tells an event that comes twice. */
export interface DeliveredEvent {
  seq: number;
  /** It was sent to this run, not to whoever listens. */
  direct: boolean;
  event: WorkflowEvent;
}

/** A `listen` that has begun, by its place in the run. */
export interface Listening {
  path: string;
  iteration: number[];
  /** Types of events that it can take; null when any. */
  types: string[] | null;
  /** Types of lifecycle events that it asks for. */
  lifecycle: string[];
}

/** A consumed event, as it was asked for. */
export function readAs(event: WorkflowEvent, read: Reading): Json {
  if (read === 'envelope') return event;
  const { data, data_base64 } = event;
  if (read === 'data' || data === undefined) return data ?? data_base64 ?? null;
  return typeof data === 'string' ? data : JSON.stringify(data);
}

/** How long an event is kept, and with it the promise that it is delivered once however often it is posted. */
export const EVENTS_KEPT_DAYS = 7;

/** The answer to a posted event. */
export const EventReceipt = Type.Object(
  {
    id: Type.String(),
    source: Type.String(),
    result: literals(['accepted', 'duplicate']),
    runs: Type.Integer({ description: 'runs that it goes to: they listen, or it was posted to them' }),
    workflows: Type.Integer({ description: 'workflows whose `schedule.on` can mean its type' }),
  },
  { $id: 'EventReceipt' },
);

/** A CloudEvent in JSON, as people may send it; `eventProblems` says what is wrong with one. */
export const PostedEvent = Type.Unsafe<Json>({
  description:
    'A CloudEvent 1.0.2: `specversion`, `id`, `source` and `type`, other attributes, extensions, and `data` or `data_base64`. ' +
    'With `ce-id` and other `ce-` headers (binary mode) the body is its data.',
  examples: [
    {
      specversion: '1.0',
      id: '8b1f',
      source: '/sensors/4',
      type: 'org.example.measured',
      data: { celsius: 21.5 },
    },
  ],
});
