import { defineEntity, p } from '@mikro-orm/postgresql';
import { v7 as uuidv7 } from 'uuid';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import { timingOf } from '../../domain/neosyntis/dsl/schedule.ts';
import type { Document } from '../../domain/neosyntis/dsl.ts';
import type { VersionDetails, Workflow, WorkflowVersion } from '../../domain/neosyntis/workflows.ts';
import type { Timing } from '../../domain/system/schedules.ts';
import type { Json } from '../../domain/wire.ts';
import type { Database, Sql } from '../orm.ts';
import { ownedBy } from '../owned.ts';
import { iso, json, LIST_BYTES, type Page, pageClause, prepared, rows } from '../sql.ts';
import { wantSchedule } from '../system/schedules.ts';
import { giveUpSets, wantEventStarts } from './event-starts.ts';

export const WorkflowEntity = defineEntity({
  name: 'Workflow',
  tableName: 'workflows',
  properties: {
    id: p.uuid().primary(),
    owner_id: p.uuid(),
    name: p.text(),
    description: p.text().nullable(),
    version: p.integer(),
    latest_run_id: p.uuid().nullable(),
    created_at: p.datetime(3),
    updated_at: p.datetime(3),
    deleted_at: p.datetime(3).nullable(),
    /** The task that runs it: it is changed with that one, and listed nowhere. */
    task_id: p.uuid().nullable(),
  },
});

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

export interface NewWorkflowRow extends CheckedDefinition {
  name: string;
  description: string | null;
}

/** How a run's status shows as its workflow's. */
const shownStatus = `case j.status when 'completed' then 'completed' when 'failed' then 'failed'
  when 'cancelled' then 'failed' when 'running' then 'running' when 'waiting' then 'running'
  when 'paused' then 'running' else 'pending' end as status`;

const columns = `w.id, w.name, w.description, ${shownStatus}, v.steps, w.version,
  ${iso('w.created_at')}, ${iso('w.updated_at')}, w.owner_id`;

const shownNames = 'id, name, description, status, steps, version, created_at, updated_at, owner_id';

const tables = `workflows w
  join workflow_versions v on v.workflow_id = w.id and v.version = w.version
  left join jobs j on j.id = w.latest_run_id`;

export type WorkflowRepository = ReturnType<typeof createWorkflowRepository>;

/** Workflows and their versions. Whoever does not own a workflow (administrators own all) does not find it. */
export function createWorkflowRepository(database: Database) {
  const { em } = database;
  const repository = {
    /** Newest first, as many as may be in memory together; `more` when that leaves some of the page out. */
    async list(
      user: Principal,
      page: Page & { name?: string },
    ): Promise<{ items: Workflow[]; more: boolean }> {
      const owned = ownedBy(user, 'w.owner_id');
      const { where, params, tail } = pageClause(page, 'w.id');
      const found = await rows<Workflow & { n: number }>(
        em,
        `with page as (
           select ${columns}, octet_length(v.steps::text) as bytes from ${tables}
           where w.deleted_at is null and w.task_id is null and ${owned.where}
           ${page.name === undefined ? '' : 'and w.name = ?'} ${where} ${tail}
         ), measured as (
           select *, sum(bytes) over (order by id desc) - bytes as before, count(*) over ()::int as n from page
         )
         select ${shownNames}, n from measured where before < ${LIST_BYTES} order by id desc`,
        [...owned.params, ...(page.name === undefined ? [] : [page.name]), ...params],
      );
      return {
        items: found.map(({ n: _n, ...workflow }) => workflow),
        more: found.length < (found[0]?.n ?? 0),
      };
    },

    /** @throws AppError `not_found` */
    async get(user: Principal, id: string, sql: Sql = em): Promise<Workflow> {
      const owned = ownedBy(user, 'w.owner_id');
      const [workflow] = await prepared<Workflow>(
        sql,
        `select ${columns} from ${tables} where w.id = ? and w.deleted_at is null and ${owned.where}`,
        [id, ...owned.params],
      );
      if (!workflow) throw missing(id);
      return workflow;
    },

    async create(user: Principal, workflow: NewWorkflowRow): Promise<Workflow> {
      const id = uuidv7();
      return em.fork().transactional(async (tx) => {
        await tx.execute(
          `insert into workflows (id, owner_id, name, description, version, created_at, updated_at)
           values (?, ?, ?, ?, 1, now(), now())`,
          [id, user.userId, workflow.name, workflow.description],
        );
        await insertVersion(tx, id, 1, workflow, user);
        return repository.get(user, id, tx);
      });
    },

    /**
     * Changes a workflow; a new definition is a new version.
     * @param change is called with the row locked; it may throw (If-Match, read-only fields).
     */
    async update(
      user: Principal,
      id: string,
      change: (
        current: Workflow,
        document: Document,
      ) => {
        name?: string;
        description?: string | null;
        definition?: CheckedDefinition;
      },
    ): Promise<Workflow> {
      return em.fork().transactional(async (tx) => {
        await tx.execute('select 1 from workflows where id = ? for update', [id]);
        const current = await repository.get(user, id, tx);
        await refuseOfTask(tx, id);
        const { document } = await repository.version(user, id, undefined, tx);
        const { name, description, definition } = change(current, document);
        const version = definition ? current.version + 1 : current.version;
        if (definition) await insertVersion(tx, id, version, definition, user);
        await tx.execute(
          'update workflows set name = ?, description = ?, version = ?, updated_at = now() where id = ?',
          [name ?? current.name, description === undefined ? current.description : description, version, id],
        );
        return repository.get(user, id, tx);
      });
    },

    /** Hides a workflow; its runs stay readable. @throws AppError `conflict` while runs are open. */
    async remove(user: Principal, id: string): Promise<void> {
      await em.fork().transactional(async (tx) => {
        await tx.execute('select 1 from workflows where id = ? for update', [id]);
        await repository.get(user, id, tx);
        await refuseOfTask(tx, id);
        const [open] = await rows<{ n: number }>(
          tx,
          `select count(*)::int as n from runs r join jobs j on j.id = r.id
           where r.workflow_id = ? and j.status not in ('completed', 'failed', 'cancelled')`,
          [id],
        );
        if (open && open.n > 0)
          throw new AppError(
            'conflict',
            `${open.n} of its runs have not ended; cancel them or wait, then delete it.`,
          );
        await tx.execute('update workflows set deleted_at = now() where id = ?', [id]);
        await want(tx, id, undefined);
      });
    },

    async versions(user: Principal, id: string) {
      await repository.get(user, id);
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
      await repository.get(user, id);
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
      await repository.get(user, id);
      throw noVersion(id, version);
    },
  };
  return repository;
}

/** What becomes of a user's workflows when the user goes. */
export const workflowOwnership = {
  async ownedBy(em: Sql, userId: string): Promise<number> {
    const [owned] = await rows<{ n: number }>(
      em,
      `select (select count(*) from workflows where owner_id = ? and deleted_at is null and task_id is null)::int
         + (select count(*) from tasks where owner_id = ? and not removed)::int as n`,
      [userId, userId],
    );
    return owned?.n ?? 0;
  },
  async reassign(em: Sql, fromUserId: string, toUserId: string): Promise<void> {
    await em.execute('update workflows set owner_id = ? where owner_id = ?', [toUserId, fromUserId]);
    await em.execute('update tasks set owner_id = ? where owner_id = ?', [toUserId, fromUserId]);
    await em.execute('update jobs set owner_id = ? where owner_id = ?', [toUserId, fromUserId]);
    await em.execute('update event_subscriptions set owner_id = ? where owner_id = ?', [
      toUserId,
      fromUserId,
    ]);
    await em.execute('update event_starts set owner_id = ? where owner_id = ?', [toUserId, fromUserId]);
    await em.execute('update events set owner_id = ? where owner_id = ?', [toUserId, fromUserId]);
  },
};

/** What a task runs is changed with the task. @throws AppError `conflict` */
async function refuseOfTask(tx: Sql, id: string): Promise<void> {
  const [found] = await rows<{ task_id: string | null }>(tx, 'select task_id from workflows where id = ?', [
    id,
  ]);
  if (typeof found?.task_id === 'string')
    throw new AppError('conflict', `It is what task ${found.task_id} runs: change or delete that one.`);
}

/** Adds a version, the one that runs from now on: by its schedule, too. */
async function insertVersion(
  tx: Sql,
  id: string,
  version: number,
  definition: CheckedDefinition,
  user: Principal,
) {
  await writeVersion(tx, id, version, definition, user);
  await want(tx, id, timingOf(definition.document));
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
async function want(tx: Sql, id: string, timing: Timing | undefined): Promise<void> {
  await giveUpSets(tx, id, timing);
  await wantSchedule(tx, { kind: 'workflow', subjectId: id, timing });
  await wantEventStarts(tx, id, timing);
}

const noVersion = (id: string, version: number | undefined) =>
  new AppError('not_found', `Workflow ${id} has no version ${version}.`);

const missing = (id: string) => new AppError('not_found', `There is no workflow ${id}.`);
