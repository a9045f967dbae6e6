import type { AuditLog } from '../../db/system/audit.ts';
import { AppError } from '../../domain/errors.ts';
import type { Reply, RequestInfo } from '../http/route.ts';

/**
 * For routes that find out who somebody is while they run: writes the audit line that the router, which knows
 * nobody there, could only write as anonymous. Such a route has `audit: false`.
 */
export async function audited(
  audit: AuditLog['write'],
  action: string,
  request: RequestInfo,
  work: () => Promise<{ reply: Reply; actor: { userId: string | null; username: string } | undefined }>,
  /** Whose account a refused attempt was about, if it exists: what was typed may be a password. */
  concerned: () => Promise<{ username: string } | undefined> = async () => undefined,
): Promise<Reply> {
  const line = { action, resource: request.path, requestId: request.requestId, ip: request.ip };
  const { reply, actor } = await work().catch(async (error: unknown) => {
    const outcome = error instanceof AppError ? error.code : 'internal';
    const account = await concerned().catch(() => undefined);
    const resource = account ? `${line.resource} of ${account.username}` : line.resource;
    await audit({ ...line, resource, user: undefined, outcome });
    throw error;
  });
  await audit({ ...line, user: actor, outcome: 'ok' });
  return reply;
}
