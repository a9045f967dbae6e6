import { WorkflowNotFoundError } from '@temporalio/client';
import { Type } from 'typebox';
import type { EventStore, Received } from '../../db/neosyntis/events.ts';
import { runSignals } from '../../domain/names.ts';
import { EVENT_LIMIT_BYTES, type WorkflowEvent } from '../../domain/neosyntis/cloud-event.ts';
import { EventReceipt, PostedEvent } from '../../domain/neosyntis/events.ts';
import { Id } from '../../domain/wire.ts';
import { createDelivery } from '../../drivers/events/delivery.ts';
import { createWake } from '../../drivers/events/wake.ts';
import type { Logger } from '../../logs.ts';
import { type Reply, type Route, route } from '../http/route.ts';
import type { Temporal } from '../temporal/client.ts';
import { eventOf } from './event-request.ts';

const common = {
  method: 'POST',
  access: 'neosyntis:workflows:run',
  body: PostedEvent,
  bodyLimitBytes: EVENT_LIMIT_BYTES,
  headers: { 'ce-id': 'in binary mode, beside `ce-source`, `ce-type`, `ce-specversion` and others' },
  answers: { 202: { description: 'it is kept, and will be delivered', schema: EventReceipt } },
} as const;

/** Events that come from outside. From the answer on they are rows: a signal that is lost is sent again. */
export function createEventRoutes(deps: { store: EventStore; temporal: Temporal; log: Logger }): Route[] {
  const { store, temporal, log } = deps;
  const deliver = createDelivery({
    ...store,
    async signal(runId, events) {
      try {
        await temporal.call((client) => client.workflow.getHandle(runId).signal(runSignals.events, events));
        return true;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error;
      }
    },
    onError: (error, runId) => log.warn({ err: error, runId }, 'events are delivered by the reconciler'),
  });

  const wake = createWake({
    call: temporal.call,
    onError: (error, scheduleId) => log.warn({ err: error, scheduleId }, 'events start runs later'),
  });

  function receipt({ id, source }: WorkflowEvent, { isNew, runs, schedules }: Received): Reply {
    void deliver(runs);
    void wake(schedules);
    const result = isNew ? 'accepted' : 'duplicate';
    return { status: 202, body: { id, source, result, runs: runs.length, workflows: schedules.length } };
  }

  return [
    route({
      ...common,
      path: '/api/neosyntis/events',
      summary: 'Post an event',
      description: 'It goes to those of your runs that listen for it, and begins runs by `schedule.on`.',
      async handler({ user, body, request }) {
        const event = eventOf(request.headers, body);
        return receipt(event, await store.post(user, event));
      },
    }),
    route({
      ...common,
      path: '/api/neosyntis/runs/{run_id}/events',
      summary: 'Post an event to a run',
      description: 'A run that does not listen yet keeps it: 1,000 events and 1 MiB of them, the newest.',
      params: Type.Object({ run_id: Id }),
      errors: ['not_found', 'conflict'],
      async handler({ user, params, body, request }) {
        const event = eventOf(request.headers, body);
        return receipt(event, await store.postTo(user, params.run_id, event));
      },
    }),
  ];
}
