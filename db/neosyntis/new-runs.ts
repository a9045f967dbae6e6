import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import type { Document } from '../../domain/neosyntis/dsl.ts';
import type { RerunOf } from '../../domain/neosyntis/reuse.ts';
import type { RunTrigger } from '../../domain/neosyntis/runs.ts';
import type { Json } from '../../domain/wire.ts';
import type { Sql } from '../orm.ts';
import { ownedBy } from '../owned.ts';
import { json, prepared } from '../sql.ts';
import { appending } from '../system/events.ts';
import { claimKey, type IdempotencyClaim } from '../system/idempotency.ts';
import { runEvents } from './run-events.ts';

/** A run that somebody wants of a workflow, in its newest version or another one. */
export interface NewRun {
  id: string;
  user: Pick<Principal, 'userId' | 'isAdmin'>;
  workflowId: string;
  version: number | undefined;
  /** Whether they may run code on a host. */
  mayRunCode: boolean;
  input: Json;
  idempotency: IdempotencyClaim | undefined;
  /** What began it, unless somebody did by hand. */
  trigger?: RunTrigger;
  rerun?: RerunOf | undefined;
  parent?: ParentStep | undefined;
}

/** The step of another run that started a run. */
export interface ParentStep {
  runId: string;
  path: string;
  iteration: number[];
  attempt: number;
}

/** What is to be run. */
export interface RunnableVersion {
  version: number;
  name: string;
  document: Document;
}

/** What the request stands for; of a new run also what is to be run, and the events to publish. */
export type CreatedRun =
  | { id: string; isNew: false }
  | { id: string; isNew: true; workflow: RunnableVersion; events: StoredEvent[] };

/** Reads the version and writes the job, the run and their events in one statement, a transaction by itself. */
async function write(
  em: Sql,
  { id, user, workflowId, version, mayRunCode, input, trigger, rerun, parent }: NewRun,
): Promise<CreatedRun> {
  const owned = ownedBy(user, 'w.owner_id');
  const events = appending(runEvents({ runId: id, ownerId: null, status: 'pending', progress: 0 }), {
    owner: '(select owner_id from wanted)',
    provided: 'exists (select from run)',
  });
  const [written] = await prepared<RunnableVersion & { owner_id: string; last_event: string }>(
    em,
    `with wanted as (
       select w.id, w.name, w.owner_id, v.version, v.document, ?::uuid as run_id
       from workflows w join workflow_versions v on v.workflow_id = w.id and v.version = coalesce(?::int, w.version)
       where w.id = ?::uuid and w.deleted_at is null and (?::boolean or not v.uses_code) and ${owned.where}
     ), latest as (
       update workflows set latest_run_id = wanted.run_id from wanted
       where workflows.id = wanted.id and workflows.deleted_at is null
       returning wanted.*
     ), job as (
       insert into jobs (id, type, name, owner_id, status, details, created_at, updated_at)
       select run_id, 'workflow_run', name, owner_id, 'pending',
         jsonb_build_object('run_id', run_id, 'workflow_id', id, 'version', version), now(), now()
       from latest
     ), run as (
       insert into runs (id, workflow_id, version, started_by, input, trigger, rerun_of, rerun_from, rerun_iteration,
         may_run_code, parent_run_id, parent_path, parent_iteration, parent_attempt)
       select run_id, id, version, ?::uuid, ?::json, ?::jsonb, ?::uuid, ?::text, ?::int[],
         ?::boolean, ?::uuid, ?::text, ?::int[], ?::int from latest returning id
     ), ${events.queries}
     select version, name, document, owner_id, seq as last_event from latest, counter`,
    [
      id,
      version ?? null,
      workflowId,
      mayRunCode,
      ...owned.params,
      user.userId,
      json(input),
      trigger === undefined ? null : json(trigger),
      rerun?.runId ?? null,
      rerun?.from?.path ?? null,
      rerun?.from ? `{${rerun.from.iteration.join()}}` : null,
      mayRunCode,
      parent?.runId ?? null,
      parent?.path ?? null,
      parent ? `{${parent.iteration.join()}}` : null,
      parent?.attempt ?? null,
      ...events.params,
    ],
  );
  if (!written) throw new AppError('not_found', `Workflow ${workflowId} was deleted.`);
  const { owner_id, last_event, ...workflow } = written;
  return { id, isNew: true, workflow, events: events.stored(Number(last_event), owner_id) };
}

/**
 * Writes the intent: the job and the run as `pending`, in one transaction with the idempotency key.
 * @throws AppError `not_found` when there is no such workflow or version, or the user may not run it.
 */
export async function createRun(em: Sql, run: NewRun): Promise<CreatedRun> {
  const claim = run.idempotency;
  if (!claim) return write(em, run);
  return em.fork().transactional(async (tx) => {
    const id = await claimKey(tx, claim);
    return id === run.id ? write(tx, run) : { id, isNew: false };
  });
}

/**
 * Writes a run that nobody asked for by hand: of a workflow's newest version, in its owner's name.
 * Whether the owner may run it was asked before, in the same transaction.
 */
export const createOwnersRun = (
  tx: Sql,
  {
    ownerId,
    ...run
  }: Required<Pick<NewRun, 'id' | 'workflowId' | 'input' | 'trigger'>> & { ownerId: string },
): Promise<CreatedRun> =>
  createRun(tx, {
    ...run,
    user: { userId: ownerId, isAdmin: false },
    version: undefined,
    mayRunCode: true,
    idempotency: undefined,
  });
