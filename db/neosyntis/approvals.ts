import { defineEntity, p } from '@mikro-orm/postgresql';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type {
  Answer,
  Answered,
  Approval,
  ApprovalKind,
  ApprovalStatus,
  Known,
} from '../../domain/neosyntis/approvals.ts';
import type { Json } from '../../domain/wire.ts';
import type { Database } from '../orm.ts';
import { iso, type Page, pageClause, rows } from '../sql.ts';
import { noteAnswer } from './asked-approvals.ts';

export const ApprovalEntity = defineEntity({
  name: 'Approval',
  tableName: 'approvals',
  properties: {
    id: p.uuid().primary(),
    run_id: p.uuid(),
    kind: p.text().$type<ApprovalKind>(),
    path: p.text(),
    iteration: p.array().$type<number[]>().columnType('integer[]'),
    attempt: p.integer(),
    name: p.text(),
    title: p.text(),
    message: p.text(),
    schema: p.json().$type<Json>().nullable(),
    known: p.json().$type<Known>().nullable(),
    approvers: p.array().$type<string[]>().columnType('text[]').nullable(),
    approver_ids: p.array().$type<string[]>().columnType('uuid[]'),
    approver_roles: p.array().$type<string[]>().columnType('text[]'),
    requested_at: p.datetime(3),
    closed_at: p.datetime(3).nullable(),
    decided_at: p.datetime(3).nullable(),
    decided_by: p.uuid().nullable(),
    decided_by_name: p.text().nullable(),
    answer: p.json().$type<Answer>().nullable(),
  },
});

/** The end of a step's output that is shown beside the question. */
const TAIL_LENGTH = 4 * 1024;

/** A run that ended waits for nobody, whoever ended it. */
const status = `case when a.decided_at is not null then 'answered'
  when a.closed_at is not null or j.status in ('completed', 'failed', 'cancelled') then 'closed' else 'open' end`;

const tail = `right(coalesce((select string_agg(l.text, '' order by l.seq) from (
  select text, seq from job_logs l where l.job_id = a.run_id and l.path = a.path and l.iteration = a.iteration
    and l.attempt = a.attempt order by seq desc limit 8) l), ''), ${TAIL_LENGTH})`;

const tables = 'approvals a join jobs j on j.id = a.run_id';

/** Who finds an approval: the run's owner, those who are asked, administrators. Who may answer it: without that owner. */
function seen(user: Principal) {
  const asked = '(a.approver_ids @> ?::uuid[] or ? = any(a.approver_roles))';
  const askedParams = [`{${user.userId}}`, user.role];
  return {
    may: user.isAdmin ? 'true' : `(${asked} or (a.approvers is null and j.owner_id = ?))`,
    mayParams: user.isAdmin ? [] : [...askedParams, user.userId],
    where: user.isAdmin ? 'true' : `(j.owner_id = ? or ${asked})`,
    params: user.isAdmin ? [] : [user.userId, ...askedParams],
  };
}

const columns = `a.id, a.kind, ${status} as status, a.run_id, a.path, a.iteration, a.attempt, a.name, a.title, a.message,
  a.schema, a.approvers, ${iso('a.requested_at')}, ${iso('a.decided_at')}, a.decided_by_name as decided_by, a.answer,
  a.known || jsonb_build_object('output_tail', ${tail}) as known`;

export type ApprovalRepository = ReturnType<typeof createApprovalRepository>;

/** What runs ask of people, as people find it. */
export function createApprovalRepository({ em }: Database) {
  async function find(
    user: Principal,
    where: string,
    params: unknown[],
    tail: string,
    mine = false,
  ): Promise<Approval[]> {
    const { may, mayParams, where: visible, params: visibleParams } = seen(user);
    const found = mine ? { where: may, params: mayParams } : { where: visible, params: visibleParams };
    return rows<Approval>(
      em,
      `select ${columns}, ${may} as may_answer from ${tables} where ${found.where} and ${where} ${tail}`,
      [...mayParams, ...found.params, ...params],
    );
  }

  return {
    /** Newest runs first; open ones are those that the user may answer. */
    list(
      user: Principal,
      page: Page & { status?: ApprovalStatus; kind?: ApprovalKind; run_id?: string },
    ): Promise<Approval[]> {
      const { where, params, tail } = pageClause(page, 'a.id');
      const filters = [
        // What the index of open ones covers, first.
        page.status === 'open' ? 'a.closed_at is null and a.decided_at is null' : 'true',
        page.status === undefined ? 'true' : `${status} = ?`,
        page.kind === undefined ? 'true' : 'a.kind = ?',
        page.run_id === undefined ? 'true' : 'a.run_id = ?',
      ].join(' and ');
      const values = [page.status, page.kind, page.run_id].filter((value) => value !== undefined);
      return find(user, `${filters} ${where}`, [...values, ...params], tail, page.status === 'open');
    },

    /** @throws AppError `not_found` */
    async get(user: Principal, id: string): Promise<Approval> {
      const [found] = await find(user, 'a.id = ?', [id], '');
      if (!found) throw new AppError('not_found', `There is no approval ${id}.`);
      return found;
    },

    /** What a step of a run asks: open ones, else the one that was asked last. */
    async ofStep(
      user: Principal,
      runId: string,
      path: string,
      iteration: number[] | undefined,
    ): Promise<Approval[]> {
      const found = await find(
        user,
        `a.run_id = ? and a.path = ? and ${iteration ? 'a.iteration = ?::int[]' : 'true'}`,
        [runId, path, ...(iteration ? [`{${iteration.join()}}`] : [])],
        'order by a.decided_at is not null or a.closed_at is not null, a.requested_at desc, a.attempt desc limit 20',
      );
      const open = found.filter((one) => one.status === 'open');
      return open.length > 0 ? open : found.slice(0, 1);
    },

    /** Notes an answer that the run took; the first one stays. */
    decided: (id: string, answered: Answered): Promise<void> => noteAnswer({ em }, id, answered),
  };
}
