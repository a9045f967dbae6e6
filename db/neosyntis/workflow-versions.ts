import { defineEntity, p } from '@mikro-orm/postgresql';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import { timingOf } from '../../domain/neosyntis/dsl/schedule.ts';
import type { Document } from '../../domain/neosyntis/dsl.ts';
import type { VersionDetails, WorkflowVersion } from '../../domain/neosyntis/workflows.ts';
import type { Timing } from '../../domain/system/schedules.ts';
import type { Json } from '../../domain/wire.ts';
import type { Sql } from '../orm.ts';
import { ownedBy } from '../owned.ts';
import { iso, json, LIST_BYTES, rows } from '../sql.ts';
import { wantSchedule } from '../system/schedules.ts';
import { giveUpSets, wantEventStarts } from './event-starts.ts';

export const WorkflowVersionEntity = defineEntity({
  name: 'WorkflowVersion',
  tableName: 'workflow_versions',
  properties: {
    workflow_id: p.uuid().primary(),
    version: p.integer().primary().autoincrement(false),
    document: p.json().$type<Document>(),
    steps: p.json().$type<Json[]>(),
    uses_code: p.boolean(),
    created_at: p.datetime(3),
    created_by: p.uuid(),
    note: p.text().nullable(),
  },
});

/** A definition that was checked, with what was sent kept for display. */
export interface CheckedDefinition {
  document: Document;
  steps: Json[];
  usesCode: boolean;
  /** What is said about this version. */
  note?: string | null | undefined;
}

/**
 * What was saved of a workflow.
 * @param get throws AppError `not_found` when the user has no such workflow
 */
export const createVersionReader = (em: Sql, get: (user: Principal, id: string) => Promise<unknown>) => ({
  /** Newest first, as many as may be in memory together. */
  async versions(user: Principal, id: string) {
    await get(user, id);
    return rows<WorkflowVersion>(
      em,
      `select version, ${iso('created_at')}, created_by, note, steps from (
           select *, sum(octet_length(steps::text)) over (order by version desc) - octet_length(steps::text) as before
           from workflow_versions where workflow_id = ? order by version desc limit 1000) v
         where before < ${LIST_BYTES} order by version desc`,
      [id],
    );
  },

  /** One version as it was saved. @throws AppError `not_found` */
  async details(user: Principal, id: string, version: number): Promise<Omit<VersionDetails, 'sources'>> {
    const owned = ownedBy(user, 'w.owner_id');
    const [found] = await rows<Omit<VersionDetails, 'sources'>>(
      em,
      `select v.version, ${iso('v.created_at')}, v.created_by, v.note, v.steps, v.document
         from workflows w join workflow_versions v on v.workflow_id = w.id and v.version = ?
         where w.id = ? and w.deleted_at is null and ${owned.where}`,
      [version, id, ...owned.params],
    );
    if (found) return found;
    await get(user, id);
    throw noVersion(id, version);
  },

  /** What one version runs. @throws AppError `not_found` */
  async version(
    user: Principal,
    id: string,
    version?: number,
    sql: Sql = em,
  ): Promise<Pick<CheckedDefinition, 'document' | 'usesCode'>> {
    const owned = ownedBy(user, 'w.owner_id');
    const [found] = await rows<Pick<CheckedDefinition, 'document' | 'usesCode'>>(
      sql,
      `select v.document, v.uses_code as "usesCode"
         from workflows w join workflow_versions v on v.workflow_id = w.id and v.version = coalesce(?::int, w.version)
         where w.id = ? and w.deleted_at is null and ${owned.where}`,
      [version ?? null, id, ...owned.params],
    );
    if (found) return found;
    await get(user, id);
    throw noVersion(id, version);
  },
});

/** Adds a version, the one that runs from now on: by its schedule, too. */
export async function insertVersion(
  tx: Sql,
  id: string,
  version: number,
  definition: CheckedDefinition,
  user: Principal,
) {
  await writeVersion(tx, id, version, definition, user);
  await wantTiming(tx, id, timingOf(definition.document));
}

/** Only writes it: for what never begins by itself. */
export async function writeVersion(
  tx: Sql,
  id: string,
  version: number,
  definition: CheckedDefinition,
  user: Pick<Principal, 'userId'>,
): Promise<void> {
  await tx.execute(
    `insert into workflow_versions (workflow_id, version, document, steps, uses_code, created_at, created_by, note)
     values (?, ?, ?::json, ?::json, ?, now(), ?, ?)`,
    [
      ...[id, version, json(definition.document), json(definition.steps), definition.usesCode],
      ...[user.userId, definition.note ?? null],
    ],
  );
}

/** When a workflow runs by itself from now on. */
export async function wantTiming(tx: Sql, id: string, timing: Timing | undefined): Promise<void> {
  await giveUpSets(tx, id, timing);
  await wantSchedule(tx, { kind: 'workflow', subjectId: id, timing });
  await wantEventStarts(tx, id, timing);
}

const noVersion = (id: string, version: number | undefined) =>
  new AppError('not_found', `Workflow ${id} has no version ${version}.`);
