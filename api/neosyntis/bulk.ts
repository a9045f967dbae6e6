import { v7 as uuidv7 } from 'uuid';
import type { BulkRepository } from '../../db/neosyntis/bulk.ts';
import type { AuditLog } from '../../db/system/audit.ts';
import type { StoredEvent } from '../../domain/events.ts';
import { PLATFORM_QUEUE, workflowTypes } from '../../domain/names.ts';
import { BulkRequest, BulkStarted } from '../../domain/neosyntis/bulk.ts';
import type { Logger } from '../../logs.ts';
import { accepted, type Route, route } from '../http/route.ts';
import type { Temporal } from '../temporal/client.ts';

export interface BulkDeps {
  bulk: BulkRepository;
  temporal: Temporal;
  publish(events: readonly StoredEvent[]): void;
  audit: AuditLog['write'];
  log: Logger;
}

/** What is done to many runs at once. */
export const createBulkRoutes = ({ bulk, temporal, publish, audit, log }: BulkDeps): Route[] => [
  route({
    method: 'POST',
    path: '/api/neosyntis/runs/cancel',
    access: 'neosyntis:workflows:run',
    summary: 'Cancel many runs',
    description:
      'Those of your open runs for which all that is given holds, oldest first, 1,000 at most; administrators reach other people’s by `ids` or `workflow_id`. Each is a line of the audit log; the job counts them.',
    body: BulkRequest,
    answers: { 202: { description: 'they are being cancelled', schema: BulkStarted } },
    async handler({ user, body, request }) {
      await temporal.ensureUp();
      const jobId = uuidv7();
      const { ids, more, events } = await bulk.create(user, jobId, body);
      publish(events);
      const { requestId, ip } = request;
      const line = { user, action: 'POST /api/neosyntis/runs/cancel', outcome: 'ok', requestId, ip };
      await Promise.all(ids.map((id) => audit({ ...line, resource: `/api/neosyntis/runs/${id}/cancel` })));
      try {
        await temporal.call((client) =>
          client.workflow.start(workflowTypes.cancelRuns, {
            workflowId: jobId,
            taskQueue: PLATFORM_QUEUE,
            args: [jobId],
          }),
        );
      } catch (error) {
        log.warn({ err: error, jobId }, 'not started now; the reconciler starts it');
      }
      return accepted(
        { job_id: jobId, status: 'pending', matched: ids.length, more },
        `/api/myntrix/jobs/${jobId}`,
      );
    },
  }),
];
