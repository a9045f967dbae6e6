import { defineEntity, p } from '@mikro-orm/postgresql';
import { v7 as uuidv7 } from 'uuid';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import { SECRETS_LIMIT, type Secret } from '../../domain/neosyntis/secrets.ts';
import type { Envelope } from '../../domain/system/envelope.ts';
import type { Json } from '../../domain/wire.ts';
import { unlessViolated } from '../auth/constraints.ts';
import type { Database, Sql } from '../orm.ts';
import { iso, json, rows } from '../sql.ts';

export const SecretEntity = defineEntity({
  name: 'Secret',
  tableName: 'secrets',
  properties: {
    id: p.uuid().primary(),
    owner_id: p.uuid(),
    name: p.text(),
    shared: p.boolean(),
    sealed: p.blob(),
    key_id: p.text().nullable().generated("encode(substring(sealed from 2 for 8), 'hex') stored"),
    created_at: p.datetime(3),
    updated_at: p.datetime(3),
  },
});

export interface SecretChange {
  value?: Json;
  shared?: boolean;
}

/** Where a value is sealed for. */
export const secretPlace = (id: string): string => `secrets/${id}`;

const columns = `name, owner_id = ? as own, shared, ${iso('created_at')}, ${iso('updated_at')}`;

export type SecretRepository = ReturnType<typeof createSecretRepository>;

/** Secrets by their name: a person's own, and those that administrators share, which an own one hides. */
export function createSecretRepository(database: Database, envelope: Envelope) {
  const { em } = database;

  const own = async (sql: Sql, user: Principal, name: string): Promise<Secret | undefined> =>
    (
      await rows<Secret>(sql, `select ${columns} from secrets where owner_id = ? and name = ?`, [
        user.userId,
        user.userId,
        name,
      ])
    )[0];

  async function insert(tx: Sql, user: Principal, name: string, value: Json, shared: boolean): Promise<void> {
    const id = uuidv7();
    const [count] = await rows<{ n: number }>(
      tx,
      'select count(*)::int as n from secrets where owner_id = ?',
      [user.userId],
    );
    if (count && count.n >= SECRETS_LIMIT)
      throw new AppError('conflict', `You have ${count.n} secrets, the limit; delete some.`);
    await unlessViolated('unique', sharedAlready(name), () =>
      tx.execute(
        `insert into secrets (id, owner_id, name, shared, sealed, created_at, updated_at)
         values (?, ?, ?, ?, ?, now(), now())`,
        [id, user.userId, name, shared, envelope.seal(json(value), secretPlace(id))],
      ),
    );
  }

  async function update(tx: Sql, user: Principal, name: string, change: SecretChange): Promise<void> {
    const [row] = await rows<{ id: string }>(tx, 'select id from secrets where owner_id = ? and name = ?', [
      user.userId,
      name,
    ]);
    if (!row) throw missing(name);
    const sealed = change.value === undefined ? null : envelope.seal(json(change.value), secretPlace(row.id));
    await unlessViolated('unique', sharedAlready(name), () =>
      tx.execute(
        `update secrets set sealed = coalesce(?, sealed), shared = coalesce(?, shared), updated_at = now()
         where id = ?`,
        [sealed, change.shared ?? null, row.id],
      ),
    );
  }

  /** One change of a person's secrets at a time: the limit holds, and nobody is between reading and writing. */
  const alone = <T>(user: Principal, work: (tx: Sql) => Promise<T>): Promise<T> =>
    em.fork().transactional(async (tx) => {
      const [account] = await rows(tx, 'select 1 from users where id = ? for no key update', [user.userId]);
      if (!account) throw new AppError('unauthenticated', 'This account was just deleted.');
      return work(tx);
    });

  const written = async (tx: Sql, user: Principal, name: string): Promise<Secret> => {
    const secret = await own(tx, user, name);
    if (!secret) throw missing(name);
    return secret;
  };

  return {
    /** By name. */
    list: (user: Principal): Promise<Secret[]> =>
      rows(em, `select ${columns} from secrets s where ${visible} order by name limit ${2 * SECRETS_LIMIT}`, [
        user.userId,
        user.userId,
        user.userId,
      ]),

    /** @throws AppError `not_found` */
    async get(user: Principal, name: string): Promise<Secret> {
      const [secret] = await rows<Secret>(
        em,
        `select ${columns} from secrets s where name = ? and ${visible}`,
        [user.userId, name, user.userId, user.userId],
      );
      if (!secret) throw missing(name);
      return secret;
    },

    /** @throws AppError `conflict` when there is one of that name, or too many. */
    create: (user: Principal, name: string, value: Json, shared: boolean): Promise<Secret> =>
      alone(user, async (tx) => {
        if (await own(tx, user, name)) throw taken(name);
        await insert(tx, user, name, value, shared);
        return written(tx, user, name);
      }),

    /**
     * Makes one's own secret of that name, or changes it.
     * @param change is called with what there is, locked; it may throw.
     */
    put: (
      user: Principal,
      name: string,
      change: (current: Secret | undefined) => SecretChange,
    ): Promise<{ secret: Secret; isNew: boolean }> =>
      alone(user, async (tx) => {
        const current = await own(tx, user, name);
        const { value, shared } = change(current);
        if (current)
          await update(tx, user, name, {
            ...(value === undefined ? {} : { value }),
            ...(shared === undefined ? {} : { shared }),
          });
        else await insert(tx, user, name, value ?? null, shared ?? false);
        return { secret: await written(tx, user, name), isNew: !current };
      }),

    /** @throws AppError `not_found`, also for one that somebody else shares. */
    async remove(user: Principal, name: string): Promise<void> {
      const removed = await rows(em, 'delete from secrets where owner_id = ? and name = ? returning id', [
        user.userId,
        name,
      ]);
      if (removed.length === 0) throw missing(name);
    },
  };
}

/** One's own, and shared ones that no own one hides; its parameters are the user, twice. */
const visible = `(s.owner_id = ? or (s.shared and not exists
  (select from secrets mine where mine.owner_id = ? and mine.name = s.name)))`;

const missing = (name: string) => new AppError('not_found', `You have no secret "${name}".`);

const taken = (name: string) =>
  new AppError(
    'conflict',
    `You have a secret "${name}" already; change it with PUT /api/neosyntis/secrets/${name}.`,
  );

const sharedAlready = (name: string) =>
  ({
    code: 'conflict',
    message: `Somebody else shares a secret "${name}" already; choose another name.`,
  }) as const;
