import { workflowOwnership } from '../db/neosyntis/workflow-ownership.ts';
import { createAuditLog } from '../db/system/audit.ts';
import { createOutbox } from '../db/system/outbox.ts';
import { createWantedSchedules } from '../db/system/schedules.ts';
import { mailWorkflowId, PLATFORM_QUEUE, workflowTypes } from '../domain/names.ts';
import type { CheckExpressions } from '../domain/neosyntis/definition.ts';
import { createNews } from '../drivers/bus/news.ts';
import { createEnvelope } from '../drivers/secrets/envelope.ts';
import { VERSION } from '../version.ts';
import { createAuthenticator } from './auth/authenticator.ts';
import { createAuthRoutes } from './auth/routes.ts';
import type { DatabaseWatch } from './database-watch.ts';
import { createOpenApi } from './http/openapi.ts';
import type { Route } from './http/route.ts';
import type { ModuleDeps } from './module.ts';
import { createMyntrix } from './myntrix/module.ts';
import { createNeosyntis } from './neosyntis/module.ts';
import { withRoom } from './system/audit-room.ts';
import { createDocsRoutes } from './system/docs.ts';
import type { HostAuthenticator } from './system/host-authenticator.ts';
import { createSystem } from './system/module.ts';
import { createScheduleFollower } from './temporal/schedules.ts';

export interface SurfaceDeps extends Omit<ModuleDeps, 'envelope' | 'publish' | 'follow' | 'audit'> {
  watch: DatabaseWatch;
  hostAuthenticator: HostAuthenticator;
  checkExpressions: CheckExpressions;
}

/** Every route and socket of the API, module by module: the one place where modules meet. */
export function createSurface({ watch, hostAuthenticator, checkExpressions, ...deps }: SurfaceDeps) {
  const { config, keys, database, bus, temporal, log } = deps;
  const authenticator = createAuthenticator({ database, keys, config });
  const auditLog = createAuditLog(database);
  const envelope = createEnvelope(keys.encryption);
  const shared: ModuleDeps = {
    ...deps,
    envelope,
    publish: createNews(bus).events,
    follow: createScheduleFollower({ temporal, wanted: createWantedSchedules(database), log }),
    audit: withRoom(auditLog.write, log),
  };
  const startMail = (mailId: string, expiresAt: string) =>
    temporal.call((client) =>
      client.workflow.start(workflowTypes.deliverMail, {
        workflowId: mailWorkflowId(mailId),
        taskQueue: PLATFORM_QUEUE,
        args: [{ mailId, expiresAt }],
      }),
    );

  const neosyntis = createNeosyntis({ ...shared, checkExpressions });
  const myntrix = createMyntrix({ ...shared, neosyntis });
  const { troubles } = myntrix;
  const system = createSystem({ ...shared, watch, authenticator, hostAuthenticator, auditLog, troubles });

  const routes: Route[] = [
    ...createAuthRoutes({
      database,
      config,
      publicUrl:
        config.VAREON_PUBLIC_URL ??
        `${config.VAREON_TLS_CERT ? 'https' : 'http'}://localhost:${config.VAREON_PORT}`,
      authenticator,
      outbox: createOutbox(database, envelope),
      ownership: workflowOwnership,
      startMail: config.SMTP_URL ? startMail : undefined,
      audit: shared.audit,
      log,
    }),
    ...neosyntis.routes,
    ...myntrix.routes,
    ...system.routes,
    ...createDocsRoutes({ document: () => document }),
  ];
  const sockets = [...neosyntis.sockets, ...myntrix.sockets, ...system.sockets];
  const document = createOpenApi(routes, sockets, {
    title: 'Vareon',
    version: VERSION,
    description: 'Runs machines, agents, models and workflows durably.',
  });
  return {
    routes,
    sockets,
    authenticator,
    authenticateHost: hostAuthenticator.authenticateHost,
    audit: shared.audit,
    observe: system.observe,
    countSockets: system.countSockets,
  };
}
