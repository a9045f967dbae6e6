import { defineEntity, p } from '@mikro-orm/postgresql';
import { v7 as uuidv7 } from 'uuid';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { Document } from '../../domain/neosyntis/dsl.ts';
import type { Workflow } from '../../domain/neosyntis/workflows.ts';
import type { Database, Sql } from '../orm.ts';
import { ownedBy } from '../owned.ts';
import { iso, LIST_BYTES, type Page, pageClause, prepared, rows } from '../sql.ts';
import {
  type CheckedDefinition,
  createVersionReader,
  insertVersion,
  wantTiming,
} from './workflow-versions.ts';

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
  const versions = createVersionReader(em, (user, id) => repository.get(user, id));
  const repository = {
    ...versions,

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
        const { document } = await versions.version(user, id, undefined, tx);
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
        await wantTiming(tx, id, undefined);
      });
    },
  };
  return repository;
}

/** What a task runs is changed with the task. @throws AppError `conflict` */
async function refuseOfTask(tx: Sql, id: string): Promise<void> {
  const [found] = await rows<{ task_id: string | null }>(tx, 'select task_id from workflows where id = ?', [
    id,
  ]);
  if (typeof found?.task_id === 'string')
    throw new AppError('conflict', `It is what task ${found.task_id} runs: change or delete that one.`);
}

const missing = (id: string) => new AppError('not_found', `There is no workflow ${id}.`);
