import { defineEntity, p } from '@mikro-orm/postgresql';
import { AppError } from '../../domain/errors.ts';
import type { Sql } from '../orm.ts';
import { rows } from '../sql.ts';

export const IdempotencyKeyEntity = defineEntity({
  name: 'IdempotencyKey',
  tableName: 'idempotency_keys',
  properties: {
    user_id: p.uuid().primary(),
    route: p.text().primary(),
    key: p.text().primary(),
    body_hash: p.text(),
    job_id: p.uuid(),
    created_at: p.datetime(3),
  },
});

export interface IdempotencyClaim {
  userId: string;
  route: string;
  key: string;
  bodyHash: string;
  jobId: string;
}

/** How long a key stands for its job. */
export const IDEMPOTENCY_HOURS = 24;

/**
 * Claims a key for a new job, in the transaction that writes the job. A claim that another transaction is
 * making is waited for.
 * @returns the id of the job that the key stands for: `jobId` itself, or that of the request before.
 * @throws AppError `invalid` when the key came with another body within 24 h.
 */
export async function claimKey(em: Sql, claim: IdempotencyClaim): Promise<string> {
  const [taken] = await rows<{ job_id: string; body_hash: string }>(
    em,
    `insert into idempotency_keys as old (user_id, route, key, body_hash, job_id, created_at)
     values (?, ?, ?, ?, ?, now())
     on conflict (user_id, route, key) do update set
       body_hash = case when old.created_at < now() - interval '${IDEMPOTENCY_HOURS} hours' then excluded.body_hash else old.body_hash end,
       job_id = case when old.created_at < now() - interval '${IDEMPOTENCY_HOURS} hours' then excluded.job_id else old.job_id end,
       created_at = case when old.created_at < now() - interval '${IDEMPOTENCY_HOURS} hours' then excluded.created_at else old.created_at end
     returning job_id, body_hash`,
    [claim.userId, claim.route, claim.key, claim.bodyHash, claim.jobId],
  );
  if (taken && taken.body_hash !== claim.bodyHash)
    throw new AppError(
      'invalid',
      `The Idempotency-Key "${claim.key}" was used with another body; use a new key for a new request.`,
      { errors: [{ path: '', message: 'differs from the request that used this Idempotency-Key first' }] },
    );
  return taken?.job_id ?? claim.jobId;
}
