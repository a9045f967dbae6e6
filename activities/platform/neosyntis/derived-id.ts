import { parse, stringify, v5 as uuidv5 } from 'uuid';
import { timedId } from '../../../drivers/schedules/tick-id.ts';

/** A UUIDv7 of the run's time, the same for the same run and name (RFC 9562, 5.5 and 5.7). */
export function derivedId(runId: string, name: string): string {
  const bytes = parse(uuidv5(name, runId));
  bytes.set(parse(runId).subarray(0, 6));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  return stringify(bytes);
}

/** A UUIDv7 of when the last of these events came, the same for the same schedule and events. */
export const eventRunId = (
  scheduleId: string,
  events: readonly { source: string; id: string }[],
  at: Date,
): string =>
  timedId(JSON.stringify([scheduleId, at.toISOString(), events.map(({ source, id }) => [source, id])]), at);
