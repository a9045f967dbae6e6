import { roles } from '../../domain/auth/permissions.ts';
import type { StoredEvent } from '../../domain/events.ts';
import {
  type Answered,
  type ApprovalKind,
  type Known,
  type Question,
  ROLE_PREFIX,
} from '../../domain/neosyntis/approvals.ts';
import type { Json } from '../../domain/wire.ts';
import type { Database, Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';
import { appendEvents } from '../system/events.ts';

/** A question as people read it. */
export interface Words {
  kind: ApprovalKind;
  title: string;
  message: string;
  schema?: Json;
  approvers?: string[];
  known?: Known;
}

/**
 * Writes down what a run asks. The same question again changes nothing; one that is asked anew, since the run was
 * reset, is open again.
 * @returns the events that tell of it, or what is wrong with those who are asked.
 */
export const askPeople = (
  { em }: Database,
  question: Question,
  words: Words,
): Promise<{ events: StoredEvent[] } | { problem: string }> =>
  em.fork().transactional(async (tx) => {
    const asked = await peopleOf(tx, words.approvers ?? []);
    if ('problem' in asked) return asked;
    const { id, runId, path, iteration, attempt, name } = question;
    const { kind, title, message, schema, approvers, known } = words;
    const [written] = await rows<{ owner_id: string | null }>(
      tx,
      `insert into approvals as a (id, run_id, kind, path, iteration, attempt, name, title, message, schema, known,
         approvers, approver_ids, approver_roles, requested_at)
       values (?, ?, ?, ?, ?::int[], ?, ?, ?, ?, ?::json, ?::jsonb, ?, ?::uuid[], ?, ?)
       on conflict (id) do update set title = excluded.title, message = excluded.message, schema = excluded.schema,
         known = excluded.known, approvers = excluded.approvers, approver_ids = excluded.approver_ids,
         approver_roles = excluded.approver_roles, requested_at = excluded.requested_at, closed_at = null,
         decided_at = null, decided_by = null, decided_by_name = null, answer = null
       where a.run_id = excluded.run_id and a.requested_at < excluded.requested_at
       returning (select owner_id from jobs where jobs.id = a.run_id) as owner_id`,
      [
        ...[id, runId, kind, path, `{${iteration.join()}}`, attempt, name, title, message],
        ...[schema === undefined ? null : json(schema), known ? json(known) : null],
        ...[approvers ? textArray(approvers) : null, `{${asked.ids.join()}}`, textArray(asked.roles)],
        question.requestedAt,
      ],
    );
    if (!written) return { events: [] };
    const data = { approval_id: id, run_id: runId, path, iteration, kind, title };
    const events = await appendEvents(tx, [
      {
        topic: 'runs',
        type: 'approval.requested',
        source: '/neosyntis/approvals',
        subject: id,
        ownerId: written.owner_id,
        data,
      },
    ]);
    return { events };
  });

async function peopleOf(
  tx: Sql,
  approvers: readonly string[],
): Promise<{ ids: string[]; roles: string[] } | { problem: string }> {
  const isRole = (name: string) => name.startsWith(ROLE_PREFIX);
  const asked = approvers.filter(isRole).map((name) => name.slice(ROLE_PREFIX.length));
  const names = approvers.filter((name) => !isRole(name));
  const found =
    names.length === 0
      ? []
      : await rows<{ id: string; username: string }>(
          tx,
          'select id, lower(username) as username from users where lower(username) in (?) and is_active',
          [names.map((name) => name.toLowerCase())],
        );
  const missing = [
    ...asked.filter((role) => !roles.some((known) => known === role)).map((role) => `role ${role}`),
    ...names.filter((name) => !found.some(({ username }) => username === name.toLowerCase())),
  ];
  if (missing.length > 0)
    return {
      problem: `approval.wait: nobody could answer as ${missing.join(', ')}; approvers are usernames of active accounts, and ${roles.map((role) => ROLE_PREFIX + role).join(', ')}.`,
    };
  return { ids: found.map(({ id }) => id), roles: asked };
}

/** Notes an answer that the run took; the first one stays. */
export async function noteAnswer(
  { em }: Pick<Database, 'em'>,
  id: string,
  { answer, by, userId, at }: Answered,
): Promise<void> {
  await rows(
    em,
    `update approvals set answer = ?::json, decided_by_name = ?, decided_by = ?, decided_at = ?::timestamptz
     where id = ? and decided_at is null`,
    [json(answer), by, userId, at, id],
  );
}

/** Nobody waits for an answer any more. */
export async function closeApproval({ em }: Database, id: string): Promise<void> {
  await rows(
    em,
    'update approvals set closed_at = now() where id = ? and decided_at is null and closed_at is null',
    [id],
  );
}

/** As PostgreSQL writes an array of texts. */
const textArray = (texts: readonly string[]): string =>
  `{${texts.map((text) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`).join()}}`;
