import { defineEntity, p } from '@mikro-orm/postgresql';
import type { Prunable } from '../../domain/system/retention.ts';
import { locks } from '../locks.ts';
import type { Database, Sql } from '../orm.ts';
import { rows } from '../sql.ts';
import { IDEMPOTENCY_HOURS } from './idempotency.ts';

export const PrunedEntity = defineEntity({
  name: 'Pruned',
  tableName: 'pruned',
  properties: { what: p.text().primary(), rows: p.bigint('number'), last_at: p.datetime(3) },
});

/** Rows that one statement deletes at most, so that nobody waits for it. */
export const PIECE_ROWS = 1_000;

/** One piece of the work: how many rows went, and whether there may be more. */
export interface Piece {
  rows: number;
  more: boolean;
}

/**
 * Deletes one piece in a transaction of its own and counts it.
 * @returns nothing while a backup is being made: what it names is still to be copied
 */
export async function prunePiece(
  { em }: Database,
  what: Prunable,
  work: (tx: Sql) => Promise<Piece>,
): Promise<Piece | undefined> {
  return em.fork().transactional(async (tx) => {
    const [lock] = await rows<{ taken: boolean }>(tx, 'select pg_try_advisory_xact_lock(?) as taken', [
      locks.maintenance,
    ]);
    if (!lock?.taken) return undefined;
    const piece = await work(tx);
    if (piece.rows > 0)
      await tx.execute(
        `insert into pruned as p (what, rows, last_at) values (?, ?, now())
         on conflict (what) do update set rows = p.rows + excluded.rows, last_at = now()`,
        [what, piece.rows],
      );
    return piece;
  });
}

/** Runs a `delete` of PIECE_ROWS at most. */
export async function deleted(tx: Sql, statement: string, params: unknown[]): Promise<Piece> {
  const [found] = await rows<{ n: number }>(
    tx,
    `with gone as (${statement} returning 1) select count(*)::int as n from gone`,
    params,
  );
  return { rows: found?.n ?? 0, more: found?.n === PIECE_ROWS };
}

/**
 * Deletes the oldest events, never one whose predecessor stays: what is kept has no gap. Numbers are those of
 * commits and times those of the transactions' begin, so that a young one may stand before an old one.
 */
export const pruneEvents = (tx: Sql, days: number): Promise<Piece> =>
  deleted(
    tx,
    `delete from events where seq in (
       select seq from (
         select seq, bool_and(at < now() - make_interval(days => ?)) over (order by seq) as is_old
         from (select seq, at from events order by seq limit ${PIECE_ROWS}) oldest) o
       where is_old)`,
    [days],
  );

/** Deletes the oldest lines of the audit log; the setting tells its trigger that this is retention. */
export async function pruneAudit(tx: Sql, days: number): Promise<Piece> {
  await tx.execute("set local vareon.retention = 'on'");
  return deleted(
    tx,
    `delete from audit_log where id in (select id from audit_log order by id limit ${PIECE_ROWS})
       and at < now() - make_interval(days => ?)`,
    [days],
  );
}

export const pruneIdempotencyKeys = (tx: Sql): Promise<Piece> =>
  deleted(
    tx,
    `delete from idempotency_keys where (user_id, route, key) in (
       select user_id, route, key from idempotency_keys
       where created_at < now() - interval '${IDEMPOTENCY_HOURS} hours' limit ${PIECE_ROWS})`,
    [],
  );

/** How many rows of each kind were deleted, since the installation was made. */
export async function prunedTotals({ em }: Database): Promise<Record<string, number>> {
  const found = await rows<{ what: string; n: string }>(em, 'select what, rows as n from pruned');
  return Object.fromEntries(found.map(({ what, n }) => [what, Number(n)]));
}
