import { createApprovalRepository } from '../../db/neosyntis/approvals.ts';
import { createBulkRepository } from '../../db/neosyntis/bulk.ts';
import { createEventStore } from '../../db/neosyntis/events.ts';
import { createGraphRepository } from '../../db/neosyntis/graph.ts';
import { createNotificationRepository } from '../../db/neosyntis/notifications.ts';
import { createReuseRepository } from '../../db/neosyntis/reuse.ts';
import { createRunIntents } from '../../db/neosyntis/run-intents.ts';
import { createRunRepository } from '../../db/neosyntis/runs.ts';
import { createWorkflowScheduleRepository } from '../../db/neosyntis/schedules.ts';
import { createSecretValues } from '../../db/neosyntis/secret-values.ts';
import { createSecretRepository } from '../../db/neosyntis/secrets.ts';
import { createStepRepository } from '../../db/neosyntis/steps.ts';
import { createTelemetryAnswers } from '../../db/neosyntis/telemetry-answers.ts';
import { createTelemetryQueries } from '../../db/neosyntis/telemetry-query.ts';
import { createTelemetrySeriesRepository } from '../../db/neosyntis/telemetry-series.ts';
import { createTelemetryWriter } from '../../db/neosyntis/telemetry-write.ts';
import { createTimelineRepository } from '../../db/neosyntis/timeline.ts';
import { createWorkflowRepository } from '../../db/neosyntis/workflows.ts';
import type { CheckExpressions } from '../../domain/neosyntis/definition.ts';
import { createGuardedEvaluator } from '../../drivers/expressions/guarded.ts';
import { createPayloadCodec } from '../../drivers/payloads/codec.ts';
import { createKeptValues } from '../../drivers/payloads/kept-values.ts';
import { createHostBlobRoutes, createOpenSteps } from '../host/blobs.ts';
import { createHostSecretRoutes } from '../host/secrets.ts';
import type { Route } from '../http/route.ts';
import type { SocketRoute } from '../http/socket.ts';
import type { ModuleDeps } from '../module.ts';
import { createAnswers } from './answers.ts';
import { createApprovalRoutes } from './approvals.ts';
import { createBulkRoutes } from './bulk.ts';
import { createBulkRerunRoutes } from './bulk-rerun.ts';
import { createCancel } from './cancel.ts';
import { createDefinitions } from './definitions.ts';
import { createEventRoutes } from './events.ts';
import { createGraphRoutes } from './graph.ts';
import { createNotificationRoutes } from './notifications.ts';
import { createPause } from './pause.ts';
import { createRerunRoutes } from './reruns.ts';
import { createRunSocket } from './run-socket.ts';
import { createRunRoutes } from './runs.ts';
import { createScheduleRoutes } from './schedules.ts';
import { createSecretRoutes } from './secrets.ts';
import { createSourceReader } from './sources.ts';
import { createStepRoutes } from './steps.ts';
import { createTelemetryRoutes } from './telemetry.ts';
import { createIngest } from './telemetry-ingest.ts';
import { createTrigger } from './trigger.ts';
import { createVersionRoutes } from './versions.ts';
import { createWorkflowRoutes } from './workflows.ts';

export interface NeosyntisDeps extends ModuleDeps {
  checkExpressions: CheckExpressions;
}

export type Neosyntis = ReturnType<typeof createNeosyntis>;

/** Workflows, their runs, and what runs use: schedules, secrets, events, telemetry. */
export function createNeosyntis(deps: NeosyntisDeps) {
  const { config, keys, database, temporal, blobs, streams, envelope, publish, follow, audit, log } = deps;
  const workflows = createWorkflowRepository(database);
  const runs = createRunRepository(database);
  const steps = createStepRepository(database);
  const approvals = createApprovalRepository(database);
  const bulk = createBulkRepository(database);
  const secretValues = createSecretValues(database, envelope);
  const definitions = createDefinitions(deps.checkExpressions, createSourceReader(temporal));
  const cancel = createCancel(temporal);
  const pause = createPause({ temporal, intents: createRunIntents(database), log });
  const trigger = createTrigger({
    workflows,
    runs,
    temporal,
    ends: streams.ends,
    publish,
    legTasks: config.VAREON_LEG_TASKS,
    log,
  });
  const telemetrySeries = createTelemetrySeriesRepository(database);

  const routes: Route[] = [
    ...createVersionRoutes({ workflows, definitions }),
    ...createGraphRoutes({ workflows, steps, graphs: createGraphRepository(database) }),
    ...createWorkflowRoutes({ workflows, definitions, secretNames: secretValues.names, follow }),
    ...createScheduleRoutes({
      schedules: createWorkflowScheduleRepository(database),
      workflows,
      definitions,
      follow,
    }),
    ...createSecretRoutes({ secrets: createSecretRepository(database, envelope) }),
    ...createHostSecretRoutes({ values: secretValues, log }),
    ...createRunRoutes({ workflows, runs, trigger, cancel, pause }),
    ...createEventRoutes({ store: createEventStore(database), temporal, log }),
    ...createRerunRoutes({ workflows, runs, steps, reuse: createReuseRepository(database), trigger }),
    ...createBulkRerunRoutes({ bulk, runs, trigger, audit }),
    ...createStepRoutes({
      steps,
      timelines: createTimelineRepository(database),
      kept: createKeptValues(blobs, createPayloadCodec(keys.payload, { seals: false })),
    }),
    ...createApprovalRoutes({
      approvals,
      answers: createAnswers({ approvals, temporal, guarded: createGuardedEvaluator() }),
    }),
    ...createNotificationRoutes({ notifications: createNotificationRepository(database, envelope) }),
    ...createTelemetryRoutes({
      series: telemetrySeries,
      ingest: createIngest({
        series: telemetrySeries,
        writer: createTelemetryWriter(database),
        keepDays: config.VAREON_KEEP_TELEMETRY_DAYS,
      }),
      answers: createTelemetryAnswers({
        series: telemetrySeries,
        queries: createTelemetryQueries(database),
      }),
    }),
    ...createBulkRoutes({ bulk, temporal, publish, audit, log }),
    ...createHostBlobRoutes({
      blobs,
      hasOpenStep: createOpenSteps(temporal.client),
    }),
  ];
  const sockets: SocketRoute[] = [createRunSocket({ database, runs, streams: streams.runs })];
  return { routes, sockets, workflows, definitions, cancel, secretValues };
}
