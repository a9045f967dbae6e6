import type { Client } from '@temporalio/client';
import type { createNotifyWebhook } from '../../activities/platform/neosyntis/notify-webhook.ts';
import type { Config } from '../../config.ts';
import type { Database } from '../../db/orm.ts';
import type { Outbox } from '../../db/system/outbox.ts';
import type { createWantedSchedules } from '../../db/system/schedules.ts';
import type { StoredEvent } from '../../domain/events.ts';
import type { Envelope } from '../../domain/system/envelope.ts';
import type { Bus } from '../../drivers/bus/port.ts';
import type { createGuardedEvaluator } from '../../drivers/expressions/guarded.ts';
import type { createOutboundClient } from '../../drivers/outbound/client.ts';
import type { createPayloads } from '../../drivers/payloads/converter.ts';
import type { createTemporalCarrier } from '../../drivers/schedules/temporal.ts';
import type { KnownSecrets } from '../../drivers/secrets/known.ts';
import type { BlobStore } from '../../drivers/storage/port.ts';
import type { Keys } from '../../keys.ts';
import type { Logger } from '../../logs.ts';
import type { createStarter } from '../starter.ts';

/** What the activities of every module may be made from. */
export interface PlatformDeps {
  config: Config;
  keys: Keys;
  known: KnownSecrets;
  database: Database;
  bus: Bus;
  client: Client;
  blobs: BlobStore;
  /** Puts a large value where Temporal keeps only a reference to it. */
  keep: ReturnType<typeof createPayloads>['keep'];
  guarded: ReturnType<typeof createGuardedEvaluator>;
  starter: ReturnType<typeof createStarter>;
  envelope: Envelope;
  outbox: Outbox;
  outbound: ReturnType<typeof createOutboundClient>;
  notifyWebhook: ReturnType<typeof createNotifyWebhook>;
  schedules: ReturnType<typeof createWantedSchedules>;
  carrier: ReturnType<typeof createTemporalCarrier>;
  publish(events: readonly StoredEvent[]): void;
  log: Logger;
}
