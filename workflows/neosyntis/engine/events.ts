import type { EventActivities } from '../../../activities/platform/neosyntis/events.ts';
import type { Inbox } from './inbox.ts';

/** What a run has to do with events. */
export interface RunEvents {
  inbox: Inbox;
  emit: EventActivities['emitEvent'];
  begin: EventActivities['beginListening'];
  end: EventActivities['endListening'];
}
