import type { MissingLog } from '../../../db/myntrix/logs.ts';
import { topics } from '../../../domain/names.ts';
import type { Bus } from '../../../drivers/bus/port.ts';

/** A host answers within milliseconds; who asks sooner gets everything twice. */
const AGAIN_AFTER_MS = 200;
const REMEMBERED = 1_000;

/** Asks hosts for what is missing of a stream, each stream a few times a second at most. */
export function createLogRequests(bus: Pick<Bus, 'publish'>): (missing: MissingLog) => void {
  const askedAt = new Map<string, number>();
  return (missing) => {
    const key = `${missing.runId} ${missing.path} ${missing.iteration.join('.')} ${missing.attempt ?? 1} ${missing.stream}`;
    const now = Date.now();
    if (now - (askedAt.get(key) ?? 0) < AGAIN_AFTER_MS) return;
    if (askedAt.size >= REMEMBERED) askedAt.clear();
    askedAt.set(key, now);
    bus.publish(topics.hostLogRequests(missing.host), missing);
  };
}
