import { createApprovalActivities } from '../../activities/platform/neosyntis/approvals.ts';
import { createBulkActivities } from '../../activities/platform/neosyntis/bulk.ts';
import { createChildActivities } from '../../activities/platform/neosyntis/children.ts';
import { eventRunId } from '../../activities/platform/neosyntis/derived-id.ts';
import { createEventStartActivities } from '../../activities/platform/neosyntis/event-starts.ts';
import {
  createEventActivities,
  createEventReconciler,
  createLifecycle,
  createWorkerDelivery,
  createWorkerWake,
} from '../../activities/platform/neosyntis/events.ts';
import { createHttp } from '../../activities/platform/neosyntis/http.ts';
import { createMcp } from '../../activities/platform/neosyntis/mcp.ts';
import { createNotificationActivities } from '../../activities/platform/neosyntis/notifications.ts';
import { createNotifyEmail } from '../../activities/platform/neosyntis/notify-email.ts';
import { createOpenApi } from '../../activities/platform/neosyntis/openapi.ts';
import { createAuthenticator } from '../../activities/platform/neosyntis/outbound/authentication.ts';
import { createResets } from '../../activities/platform/neosyntis/resets.ts';
import { createReuseActivities } from '../../activities/platform/neosyntis/reuse.ts';
import { createRunActivities } from '../../activities/platform/neosyntis/runs.ts';
import { createScriptSource } from '../../activities/platform/neosyntis/script-source.ts';
import { createOpener, createSecretActivities } from '../../activities/platform/neosyntis/secrets.ts';
import { createSourceActivities } from '../../activities/platform/neosyntis/sources.ts';
import { createTelemetryQuery } from '../../activities/platform/neosyntis/telemetry-query.ts';
import { createTelemetryWait } from '../../activities/platform/neosyntis/telemetry-wait.ts';
import type { VerbImplementation } from '../../activities/platform/neosyntis/verbs.ts';
import { createVerbActivities } from '../../activities/platform/neosyntis/verbs.ts';
import { createDeviceWaits } from '../../db/myntrix/device-waits.ts';
import { createChildRuns } from '../../db/neosyntis/child-runs.ts';
import { createEventRuns } from '../../db/neosyntis/event-runs.ts';
import { createEventStartQueue } from '../../db/neosyntis/event-starts.ts';
import { createEventSubscriptions } from '../../db/neosyntis/event-subscriptions.ts';
import { createEventStore } from '../../db/neosyntis/events.ts';
import { createLifecycleStore } from '../../db/neosyntis/lifecycle.ts';
import { createReuseRepository } from '../../db/neosyntis/reuse.ts';
import { createRunIntents } from '../../db/neosyntis/run-intents.ts';
import { createRunOwners } from '../../db/neosyntis/run-owners.ts';
import { createScheduledRuns } from '../../db/neosyntis/scheduled-runs.ts';
import { createSecretValues } from '../../db/neosyntis/secret-values.ts';
import { createTelemetryAnswers } from '../../db/neosyntis/telemetry-answers.ts';
import { createTelemetryQueries } from '../../db/neosyntis/telemetry-query.ts';
import { createTelemetrySeriesRepository } from '../../db/neosyntis/telemetry-series.ts';
import { createHostGrantRepository } from '../../db/system/host-grants.ts';
import { createPayloadCodec } from '../../drivers/payloads/codec.ts';
import { createPayloadDecoder } from '../../drivers/payloads/decoder.ts';
import { createKeptValues } from '../../drivers/payloads/kept-values.ts';
import { VERSION } from '../../version.ts';
import type { PlatformDeps } from './deps.ts';
import type { MyntrixWork } from './myntrix.ts';

export interface NeosyntisWorkDeps extends PlatformDeps {
  /** Verbs of other modules, and those that the registry has beside the product's own. */
  verbs: Record<string, VerbImplementation>;
  myntrix: Pick<MyntrixWork, 'taskRunEnded'>;
}

export type NeosyntisWork = ReturnType<typeof createNeosyntisWork>;

/** Runs of workflows, what their steps do, and what begins them. */
export function createNeosyntisWork(deps: NeosyntisWorkDeps) {
  const { config, keys, known, database, bus, client, blobs, keep, guarded, starter, log } = deps;
  const { envelope, outbox, outbound, notifyWebhook, publish, verbs, myntrix } = deps;
  const openingCodec = createPayloadCodec(keys.payload, { seals: false });
  const resets = createResets({
    database,
    client,
    decode: createPayloadDecoder(blobs, openingCodec),
    log,
  });
  const secretValues = createSecretValues(database, envelope);
  const store = createEventStore(database);
  const lifecycle = createLifecycleStore(database);
  const deliver = createWorkerDelivery({ store, client, log });
  const wake = createWorkerWake({ client, log });
  const starts = createEventStartQueue(database);
  const sendLifecycle = createLifecycle({ lifecycle, deliver, wake, bus, log });
  const runActivities = createRunActivities({
    database,
    bus,
    hostGrants: createHostGrantRepository(database),
    guarded,
    resets,
    defaultHost: config.VAREON_HOST_NAME,
    keep,
    sendLifecycle,
    taskRunEnded: myntrix.taskRunEnded,
    log,
  });
  const scheduledRuns = createScheduledRuns(database);
  const ownerOf = createRunOwners(database);
  const authenticator = createAuthenticator({ client: outbound, ownerOf, known });
  const { sendNotifications, notifyByWebhook } = createNotificationActivities({
    database,
    outbox,
    envelope,
    notifyWebhook,
    startMail: starter.startMail,
    startWebhook: starter.startWebhook,
  });
  const verbActivities = createVerbActivities(
    {
      http: createHttp(authenticator),
      mcp: createMcp(authenticator, VERSION),
      openapi: createOpenApi({ authenticator, ownerOf }),
      'notify.email': createNotifyEmail({ database, outbox, startMail: starter.startMail }),
      'run.script.source': createScriptSource(authenticator),
      'notify.webhook': notifyWebhook,
      'telemetry.query': createTelemetryQuery({
        ownerOf,
        answers: createTelemetryAnswers({
          series: createTelemetrySeriesRepository(database),
          queries: createTelemetryQueries(database),
        }),
      }),
      'telemetry.wait_for': createTelemetryWait({ waits: createDeviceWaits(database), log }),
      ...verbs,
    },
    {
      opened: createOpener({ secrets: secretValues, guarded, known }, authenticator),
      tell: runActivities.project,
    },
  );
  const sourceActivities = createSourceActivities({
    authenticator: createAuthenticator({ client: outbound, ownerOf: async (ownerId) => ownerId, known }),
    unsealing: { secrets: { resolve: secretValues.resolveOf }, guarded, known },
  });
  return {
    activities: {
      ...runActivities,
      ...verbActivities,
      ...createEventActivities({ store, subscriptions: createEventSubscriptions(database), deliver, wake }),
      ...createEventStartActivities({
        queue: starts,
        guarded,
        runs: createEventRuns(database, eventRunId),
        startRun: starter.startRun,
        publish,
        log,
      }),
      ...createChildActivities({
        database,
        children: createChildRuns(database),
        intent: createRunIntents(database).intent,
        publish,
      }),
      ...createReuseActivities({
        reuse: createReuseRepository(database),
        kept: createKeptValues(blobs, openingCodec),
      }),
      ...createApprovalActivities({ database, bus }),
      ...createSecretActivities({ values: secretValues }),
      ...createBulkActivities({ database, bus, client }),
    },
    /** They are on queues of their own as well. */
    verbActivities,
    /** Those that wait for other servers. */
    outboundActivities: { ...sourceActivities, notifyByWebhook },
    resets,
    reconcilers: {
      reconcileEvents: createEventReconciler({ store, starts, lifecycle, deliver, wake, sendLifecycle }),
    },
    ticks: {
      ...scheduledRuns,
      // One that has ended and was forgotten by Temporal would begin a second time.
      begin: async (runId: string) => {
        if (await scheduledRuns.isPending(runId)) await starter.startRun(runId);
      },
    },
    sendNotifications,
  };
}
