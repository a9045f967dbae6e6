import type { BulkRepository } from '../../db/neosyntis/bulk.ts';
import type { RunRepository } from '../../db/neosyntis/runs.ts';
import type { AuditLog } from '../../db/system/audit.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import { BulkRequest, BulkRerun, RERUNS_LIMIT } from '../../domain/neosyntis/bulk.ts';
import { type Route, route } from '../http/route.ts';
import type { createTrigger } from './trigger.ts';

export interface BulkRerunDeps {
  bulk: Pick<BulkRepository, 'ended'>;
  runs: Pick<RunRepository, 'summary'>;
  trigger: Pick<ReturnType<typeof createTrigger>, 'trigger'>;
  audit: AuditLog['write'];
}

/** Runs many ended runs again, each as its own new run. */
export function createBulkRerunRoutes({ bulk, runs, trigger, audit }: BulkRerunDeps): Route[] {
  async function rerun(user: Principal, id: string, idempotencyKey: string): Promise<string> {
    const { workflow_id: workflowId, version, input } = await runs.summary(user, id);
    const again = { workflowId, version, input, idempotencyKey, rerun: { runId: id } };
    return (await trigger.trigger(user, again)).runId;
  }

  return [
    route({
      method: 'POST',
      path: '/api/neosyntis/runs/rerun',
      access: 'neosyntis:workflows:run',
      summary: 'Run many ended runs again',
      description:
        'Those of your ended runs for which all that is given holds, oldest first, 100 at most, each from its beginning, in its version, with its input; administrators reach other people’s by `ids` or `workflow_id`. The runs that were started count as done, whatever becomes of the rest of the request. Each is a line of the audit log.',
      body: BulkRequest,
      headers: { 'Idempotency-Key': 'a repeat within 24 h starts none of them twice' },
      answers: { 202: { description: 'what was started, and what was not', schema: BulkRerun } },
      async handler({ user, body, request }) {
        const key = request.header('Idempotency-Key');
        const { ids, more } = await bulk.ended(user, body, RERUNS_LIMIT);
        const { requestId, ip } = request;
        const line = { user, action: 'POST /api/neosyntis/runs/rerun', requestId, ip };
        const started: { rerun_of: string; run_id: string }[] = [];
        const refused: { rerun_of: string; code: string; detail: string }[] = [];
        for (const id of ids) {
          const resource = `/api/neosyntis/runs/${id}/rerun`;
          try {
            started.push({ rerun_of: id, run_id: await rerun(user, id, key) });
            await audit({ ...line, resource, outcome: 'ok' });
          } catch (error) {
            if (!(error instanceof AppError)) throw error;
            refused.push({ rerun_of: id, code: error.code, detail: error.message });
            await audit({ ...line, resource, outcome: error.code });
          }
        }
        return { status: 202, body: { started, refused, more } };
      },
    }),
  ];
}
