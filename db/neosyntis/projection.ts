import type { ProjectionBatch } from '../../domain/neosyntis/projection.ts';
import { isEnded, type RunStatus } from '../../domain/neosyntis/runs.ts';
import type { Database, Sql } from '../orm.ts';
import { rows } from '../sql.ts';
import { applyNext, nothing, type Projected } from './projection-statement.ts';

interface Row {
  status: RunStatus;
  execution: string | null;
  projected: string;
  progress: number;
}

/**
 * Applies a run's changes to the read model in one transaction and numbers the frames that tell of them.
 * Changes that were applied before are left out, and an ended run does not change any more. `execution` is
 * Temporal's id of what sent them: after a reset it is another one, which rebuildRun() lets in.
 */
export async function applyProjection(
  { em }: Database,
  batch: ProjectionBatch,
  execution: string | null,
): Promise<Projected> {
  // As a rule it goes on where the row is: then one statement does it.
  const next = await applyNext(em, batch, execution);
  if (next) return next;
  return em.fork().transactional(async (tx) => {
    const row = await lock(tx, batch.runId);
    if (!row) return nothing;
    const tellers: (string | null | undefined)[] = [null, execution, batch.continues];
    if (execution !== null && !tellers.includes(row.execution)) return { ...nothing, isOther: true };
    if (isEnded(row.status)) return nothing;
    return applyRest(tx, row, batch, execution);
  });
}

/**
 * As applyProjection(), for changes that somebody else makes on the run's behalf: all of them, or none.
 * @returns nothing when the run has told something since `batch.from` was read.
 */
export async function applyWhole(
  { em }: Database,
  batch: ProjectionBatch,
  execution: string | null,
): Promise<Projected | undefined> {
  return em.fork().transactional(async (tx) => {
    const row = await lock(tx, batch.runId);
    if (!row || isEnded(row.status)) return nothing;
    if (row.execution !== null && execution !== null && row.execution !== execution) return nothing;
    if (Number(row.projected) + 1 !== batch.from) return undefined;
    return applyRest(tx, row, batch, execution);
  });
}

/**
 * Makes a run's row and steps what another execution of it says, from change `batch.from` on, and open again. Frames
 * and events go on with the next numbers. It does nothing when the row tells of another execution than `from` by now.
 */
export async function rebuildRun(
  { em }: Database,
  batch: ProjectionBatch,
  { from, to: execution }: { from: string | null; to: string },
): Promise<Projected> {
  return em.fork().transactional(async (tx) => {
    const row = await lock(tx, batch.runId);
    if (!row || row.execution !== from || from === execution) return nothing;
    const kept = batch.from - 1;
    await tx.execute('delete from run_steps where run_id = ? and ordinal > ?', [batch.runId, kept]);
    await tx.execute(
      `delete from run_step_attempts a where run_id = ? and not exists (
         select from run_steps s where s.run_id = a.run_id and s.path = a.path and s.iteration = a.iteration)`,
      [batch.runId],
    );
    await tx.execute(
      `update runs set projected = ?, output = null, error = null, execution = null,
         steps_total = (select count(*) from run_steps where run_id = id) where id = ?`,
      [kept, batch.runId],
    );
    await tx.execute("update jobs set status = 'running', progress = 0, ended_at = null where id = ?", [
      batch.runId,
    ]);
    return applyRest(
      tx,
      { ...row, projected: String(kept), progress: 0, status: 'running' },
      batch,
      execution,
    );
  });
}

/** The row tells of another execution from now on, which goes on where the one that it told of has ended. */
export async function continueRun(
  { em }: Database,
  runId: string,
  { from, to }: { from: string; to: string },
): Promise<void> {
  await em.execute('update runs set execution = ? where id = ? and execution = ?', [to, runId, from]);
}

async function lock(tx: Sql, runId: string): Promise<Row | undefined> {
  const [row] = await rows<Row>(
    tx,
    `select j.status, r.execution, r.projected, j.progress from runs r join jobs j on j.id = r.id
     where r.id = ? for update`,
    [runId],
  );
  return row;
}

/** What of the batch is not applied yet, to a row that is locked. */
async function applyRest(
  tx: Sql,
  row: Row,
  batch: ProjectionBatch,
  execution: string | null,
): Promise<Projected> {
  const applied = Math.max(0, Number(row.projected) + 1 - batch.from);
  const rest = {
    ...batch,
    from: batch.from + applied,
    changes: batch.changes.slice(applied),
    progress: Math.max(row.progress, batch.progress),
  };
  return (await applyNext(tx, rest, execution, row.status)) ?? nothing;
}
