import { topics } from '../../domain/names.ts';
import type { Json } from '../../domain/wire.ts';
import type { Bus } from './port.ts';

/** Items of one message at most: they are small but for a run's output, and a broker has a limit. */
const ITEMS = 100;

/** What is new, in messages of several items, in their order: a message costs as much as what is in it. */
export interface News {
  frames(runId: string, frames: readonly object[]): void;
  events(events: readonly object[]): void;
  lifecycle(events: readonly object[]): void;
  /** Both, as one commit made them. */
  run(runId: string, made: { frames: readonly object[]; events: readonly object[] }): void;
}

export function createNews(bus: Pick<Bus, 'publish'>): News {
  function publish(topic: string, items: readonly object[]) {
    for (let at = 0; at < items.length; at += ITEMS)
      bus.publish(topic, items.slice(at, at + ITEMS) as Json[]); // frames and events are JSON
  }
  const frames: News['frames'] = (runId, items) => publish(topics.run(runId), items);
  const events: News['events'] = (items) => publish(topics.events, items);
  return {
    frames,
    events,
    lifecycle: (items) => publish(topics.lifecycle, items),
    run(runId, made) {
      frames(runId, made.frames);
      events(made.events);
    },
  };
}
