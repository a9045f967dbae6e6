import type { HostTrouble } from '../../db/myntrix/system-metrics.ts';
import { rows } from '../../db/sql.ts';
import type { AuditLog } from '../../db/system/audit.ts';
import { createEnrolmentRepository } from '../../db/system/host-enrolments.ts';
import { createHostGrantRepository } from '../../db/system/host-grants.ts';
import { createHostLeases } from '../../db/system/host-leases.ts';
import { createHostRepository } from '../../db/system/hosts.ts';
import { prunedTotals } from '../../db/system/retention.ts';
import { createStatusCounts } from '../../db/system/status.ts';
import { createPayloadCodec } from '../../drivers/payloads/codec.ts';
import { createPayloadDecoder } from '../../drivers/payloads/decoder.ts';
import { VERSION } from '../../version.ts';
import type { AccountAuthenticator } from '../auth/authenticator.ts';
import type { DatabaseWatch } from '../database-watch.ts';
import type { Route } from '../http/route.ts';
import type { SocketRoute } from '../http/socket.ts';
import type { ModuleDeps } from '../module.ts';
import { createCodecRoutes } from '../temporal/codec.ts';
import { createAuditRoutes } from './audit.ts';
import { createEventsSocket } from './events-socket.ts';
import { createHostAccessRoutes } from './host-access.ts';
import type { HostAuthenticator } from './host-authenticator.ts';
import { createEnrolmentRoutes } from './host-enrolments.ts';
import { createHostGrantRoutes } from './host-grants.ts';
import { createHostPortRoutes } from './host-ports.ts';
import { createHostRemoval } from './host-removal.ts';
import { createHostSettings } from './host-settings.ts';
import { createHostRoutes } from './hosts.ts';
import { createMetrics, createMetricsRoutes } from './metrics.ts';
import { createReadiness } from './readiness.ts';
import { createStatusRoutes } from './status.ts';

export interface SystemDeps extends ModuleDeps {
  watch: DatabaseWatch;
  authenticator: AccountAuthenticator;
  hostAuthenticator: HostAuthenticator;
  auditLog: AuditLog;
  /** Hosts that are silent, or make something up. */
  troubles(): Promise<HostTrouble[]>;
}

/** The installation: how it is, who did what, its hosts, its metrics, and values for Temporal's own pages. */
export function createSystem(deps: SystemDeps) {
  const { config, keys, database, bus, temporal, blobs, streams, publish, audit, log } = deps;
  const { watch, authenticator, hostAuthenticator, auditLog, troubles } = deps;
  const hosts = createHostRepository(database);
  const enrolments = createEnrolmentRepository(database);
  const removeHost = createHostRemoval({ database, hosts, bus, publish, authenticator: hostAuthenticator });
  const counts = createStatusCounts(database);
  let openSockets = () => 0;
  const metrics = createMetrics({
    openSockets: () => openSockets(),
    runsByStatus: counts.runs,
    eventsPublished: () => bus.counts().published,
    eventsDropped: () => bus.counts().dropped,
    rowsPruned: () => prunedTotals(database),
  });
  const readiness = createReadiness(
    {
      database: async () => {
        await rows(database.em, 'select 1');
        watch.hasAnswered();
      },
      temporal: temporal.check,
      bus: bus.check,
    },
    log,
  );

  const routes: Route[] = [
    ...createStatusRoutes({
      version: VERSION,
      uptimeSeconds: () => process.uptime(),
      readiness,
      details: { neosyntis: counts.neosyntis, myntrix: counts.myntrix },
      troubles,
    }),
    ...createAuditRoutes({ audit: auditLog }),
    ...createHostPortRoutes({ hosts, bus }),
    ...createHostRoutes({ hosts: { list: hosts.list, remove: removeHost } }),
    ...createEnrolmentRoutes({ enrolments }),
    ...createHostGrantRoutes({
      grants: createHostGrantRepository(database),
      forgetAccounts: authenticator.forget,
    }),
    ...createHostAccessRoutes({
      enrolments,
      leases: createHostLeases(database),
      settings: createHostSettings(config, keys),
      authenticator: hostAuthenticator,
      audit,
    }),
    ...createCodecRoutes({
      decode: createPayloadDecoder(blobs, createPayloadCodec(keys.payload, { seals: false })),
      namespace: config.TEMPORAL_NAMESPACE,
      isSecure: config.VAREON_TLS_CERT !== undefined || /^https:/i.test(config.VAREON_PUBLIC_URL ?? ''),
    }),
    ...createMetricsRoutes({ metrics }),
  ];
  const sockets: SocketRoute[] = [createEventsSocket({ stream: streams.events })];
  return {
    routes,
    sockets,
    observe: metrics.observe,
    /** The socket server comes after the routes that count its sockets. */
    countSockets(count: () => number) {
      openSockets = count;
    },
  };
}
