import type { Config } from '../config.ts';
import type { Database } from '../db/orm.ts';
import type { AuditLog } from '../db/system/audit.ts';
import type { StoredEvent } from '../domain/events.ts';
import type { Envelope } from '../domain/system/envelope.ts';
import type { Bus } from '../drivers/bus/port.ts';
import type { BlobStore } from '../drivers/storage/port.ts';
import type { Keys } from '../keys.ts';
import type { Logger } from '../logs.ts';
import type { DeviceStreams } from './live/devices/streams.ts';
import type { createEventStream } from './live/events.ts';
import type { RunEnds } from './live/run-ends.ts';
import type { createRunStreams } from './live/runs.ts';
import type { SceneStream } from './live/scenes.ts';
import type { Temporal } from './temporal/client.ts';
import type { createScheduleFollower } from './temporal/schedules.ts';

/** What every module of the API may be made from. */
export interface ModuleDeps {
  config: Config;
  keys: Keys;
  database: Database;
  bus: Bus;
  temporal: Temporal;
  blobs: BlobStore;
  streams: {
    runs: ReturnType<typeof createRunStreams>;
    events: ReturnType<typeof createEventStream>;
    ends: RunEnds;
    devices: DeviceStreams;
    scenes: SceneStream;
  };
  envelope: Envelope;
  /** Tells what has been written. */
  publish(events: readonly StoredEvent[]): void;
  /** Tells what carries schedules of a change of one. */
  follow: ReturnType<typeof createScheduleFollower>;
  audit: AuditLog['write'];
  log: Logger;
}
