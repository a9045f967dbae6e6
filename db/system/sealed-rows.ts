import type { Envelope } from '../../domain/system/envelope.ts';
import { locks } from '../locks.ts';
import { taskPlace } from '../myntrix/task-write.ts';
import { notificationsPlace } from '../neosyntis/notifications.ts';
import { secretPlace } from '../neosyntis/secrets.ts';
import type { Database } from '../orm.ts';
import { rows } from '../sql.ts';
import { mailPlace } from './outbox.ts';

/**
 * Every table with a column `sealed`, and what its rows are sealed for. Each has a column `key_id` too, and the
 * trigger that refuses retired keys (migration 0005); a rotation goes through all of them.
 */
export const sealedTables: readonly { table: string; place: (id: string) => string }[] = [
  { table: 'secrets', place: secretPlace },
  { table: 'outbox_mails', place: mailPlace },
  { table: 'workflow_notifications', place: notificationsPlace },
  { table: 'tasks', place: taskPlace },
];

const BATCH = 100;

/** Sealed rows as a rotation of keys sees them. */
export function createSealedRows(database: Database, envelope: Envelope) {
  const { em } = database;

  return {
    /**
     * Seals up to 100 rows of a table anew that another key than the current one sealed, from an id on.
     * @returns where to go on, or nothing at the end; and the ids of rows that nobody can open.
     */
    resealBatch: ({ table, place }: (typeof sealedTables)[number], currentId: string, after: string) =>
      em.fork().transactional(async (tx) => {
        const batch = await rows<{ id: string; sealed: Buffer }>(
          tx,
          `select id, sealed from ${table} where sealed is not null and key_id <> ? and id > ?
           order by id limit ${BATCH} for no key update`,
          [currentId, after],
        );
        const broken: string[] = [];
        for (const { id, sealed } of batch) {
          const text = opened(envelope, sealed, place(id));
          if (text === undefined) broken.push(id);
          else
            await tx.execute(`update ${table} set sealed = ? where id = ?`, [
              envelope.seal(text, place(id)),
              id,
            ]);
        }
        return { count: batch.length - broken.length, broken, next: batch.at(-1)?.id };
      }),

    /** From now on the database refuses what this key seals; waits for those who are just writing. */
    async retire(keyId: string): Promise<void> {
      await em.execute(
        'insert into retired_keys (id, retired_at) values (?, now()) on conflict (id) do nothing',
        [keyId],
      );
      for (const { table } of sealedTables)
        await em.fork().transactional(async (tx) => {
          await tx.execute("set local statement_timeout = '60s'");
          // Waits for every transaction that wrote to the table, and is given back at once.
          await tx.execute(`lock table ${table} in share mode`);
        });
    },

    /** How many rows a key sealed. */
    async sealedWith(keyId: string): Promise<number> {
      let count = 0;
      for (const { table } of sealedTables) {
        const [found] = await rows<{ n: number }>(
          em,
          `select count(*)::int as n from ${table} where key_id = ?`,
          [keyId],
        );
        count += found?.n ?? 0;
      }
      return count;
    },

    /** Runs `work` unless another rotation is under way somewhere. @returns whether it ran. */
    alone: (work: () => Promise<void>): Promise<boolean> =>
      em.fork().transactional(async (tx) => {
        await tx.execute('set local idle_in_transaction_session_timeout = 0');
        const [lock] = await rows<{ got: boolean }>(tx, 'select pg_try_advisory_xact_lock(?) as got', [
          locks.rotation,
        ]);
        if (!lock?.got) return false;
        await work();
        return true;
      }),
  };
}

function opened(envelope: Envelope, sealed: Buffer, place: string): string | undefined {
  try {
    return envelope.open(sealed, place);
  } catch {
    return undefined; // changed, or its key is lost: it is counted and told
  }
}
