import { defineEntity, p } from '@mikro-orm/postgresql';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import {
  type DueNotification,
  type NotificationKind,
  type Notifications,
  type NotificationsUpdate,
  noNotifications,
} from '../../domain/neosyntis/notifications.ts';
import type { RunProblem } from '../../domain/neosyntis/runs.ts';
import type { Envelope } from '../../domain/system/envelope.ts';
import type { Database, Sql } from '../orm.ts';
import { ownedBy } from '../owned.ts';
import { iso, rows } from '../sql.ts';

/** Its id is the workflow's. */
export const NotificationsEntity = defineEntity({
  name: 'Notifications',
  tableName: 'workflow_notifications',
  properties: {
    id: p.uuid().primary(),
    kinds: p.array().$type<string[]>().columnType('text[]'),
    after_seconds: p.integer(),
    email: p.array().$type<string[]>().columnType('text[]'),
    webhook_url: p.text().nullable(),
    sealed: p.blob().nullable(),
    key_id: p.text().nullable().generated("encode(substring(sealed from 2 for 8), 'hex') stored"),
    updated_at: p.datetime(3),
  },
});

/** Written by a trigger of `jobs`, in the transaction that changes the run's status. */
export const RunNotificationEntity = defineEntity({
  name: 'RunNotification',
  tableName: 'run_notifications',
  properties: {
    run_id: p.uuid().primary(),
    kind: p.text().primary(),
    due_at: p.datetime(3),
    sent_at: p.datetime(3).nullable(),
  },
});

/** Where a webhook's secret is sealed for. */
export const notificationsPlace = (id: string): string => `workflow_notifications/${id}`;

/** What a notification is about, and whom it goes to. */
export interface NotifiedRun {
  id: string;
  workflow_id: string;
  name: string;
  status: string;
  error: RunProblem | null;
  email: string[];
  webhook_url: string | null;
  sealed: Buffer | null;
}

export type NotificationRepository = ReturnType<typeof createNotificationRepository>;

export function createNotificationRepository({ em }: Database, envelope: Envelope) {
  async function read(sql: Sql, id: string): Promise<Notifications> {
    const [found] = await rows<Notifications & { url: string | null; has_secret: boolean }>(
      sql,
      `select kinds as "on", after_seconds as after, email, webhook_url as url, sealed is not null as has_secret,
         ${iso('updated_at')} from workflow_notifications where id = ?`,
      [id],
    );
    if (!found) return noNotifications;
    const { url, has_secret, ...rest } = found;
    return { ...rest, webhook: url === null ? null : { url, has_secret } };
  }

  /** @throws AppError `not_found` */
  async function requireOwn(sql: Sql, user: Principal, id: string, lock = ''): Promise<void> {
    const owned = ownedBy(user, 'owner_id');
    const [found] = await rows(
      sql,
      `select 1 from workflows where id = ? and deleted_at is null and ${owned.where} ${lock}`,
      [id, ...owned.params],
    );
    if (!found) throw new AppError('not_found', `There is no workflow ${id}.`);
  }

  return {
    async get(user: Principal, id: string): Promise<Notifications> {
      await requireOwn(em, user, id);
      return read(em, id);
    },

    /** Changes what is given; what is under way is told by the settings that are there when it is sent. */
    put: (user: Principal, id: string, change: NotificationsUpdate): Promise<Notifications> =>
      em.fork().transactional(async (tx) => {
        await requireOwn(tx, user, id, 'for no key update');
        const before = await read(tx, id);
        const { on = before.on, after = before.after, email = before.email } = change;
        const url =
          change.webhook === undefined ? (before.webhook?.url ?? null) : (change.webhook?.url ?? null);
        const secret = change.webhook?.secret;
        const sealed = typeof secret === 'string' ? envelope.seal(secret, notificationsPlace(id)) : null;
        const keeps = url !== null && secret === undefined;
        await tx.execute(
          `insert into workflow_notifications as n (id, kinds, after_seconds, email, webhook_url, sealed, updated_at)
           values (?, ?, ?, ?, ?, ?, now())
           on conflict (id) do update set kinds = excluded.kinds, after_seconds = excluded.after_seconds,
             email = excluded.email, webhook_url = excluded.webhook_url,
             sealed = ${keeps ? 'n.sealed' : 'excluded.sealed'}, updated_at = now()`,
          [id, textArray([...new Set(on)]), after, textArray([...new Set(email)]), url, sealed],
        );
        return read(tx, id);
      }),
  };
}

const textArray = (texts: readonly string[]): string =>
  `{${texts.map((text) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`).join()}}`;

/**
 * Takes notifications that are due, oldest first; `send` does what belongs into the transaction that marks one as sent.
 * One that is being taken elsewhere is left to those.
 */
export async function takeDue(
  { em }: Database,
  limit: number,
  send: (tx: Sql, run: NotifiedRun, due: DueNotification) => Promise<void>,
): Promise<number> {
  let taken = 0;
  while (taken < limit && (await takeOne({ em }, send))) taken++;
  return taken;
}

const takeOne = (
  { em }: Pick<Database, 'em'>,
  send: (tx: Sql, run: NotifiedRun, due: DueNotification) => Promise<void>,
): Promise<boolean> =>
  em.fork().transactional(async (tx) => {
    const [due] = await rows<{ run_id: string; kind: NotificationKind }>(
      tx,
      `update run_notifications set sent_at = now() where (run_id, kind) in (
         select run_id, kind from run_notifications where sent_at is null and due_at <= now()
         order by due_at limit 1 for update skip locked) returning run_id, kind`,
    );
    if (!due) return false;
    const run = await notifiedRun(tx, due.run_id);
    if (run) await send(tx, run, { runId: due.run_id, kind: due.kind });
    return true;
  });

/** Nothing when nobody wants to be told any more. */
export async function notifiedRun(sql: Sql, runId: string): Promise<NotifiedRun | undefined> {
  const [run] = await rows<NotifiedRun>(
    sql,
    `select j.id, r.workflow_id, j.name, j.status, r.error, n.email, n.webhook_url, n.sealed
     from jobs j join runs r on r.id = j.id join workflow_notifications n on n.id = r.workflow_id where j.id = ?`,
    [runId],
  );
  return run;
}
