import { defineEntity, p } from '@mikro-orm/postgresql';
import { v7 as uuidv7 } from 'uuid';
import { AppError } from '../../domain/errors.ts';
import {
  type CreatedEnrolment,
  ENROLMENT_TOKEN_PREFIX,
  type Enrolment,
  type EnrolRequest,
  type NewEnrolment,
} from '../../domain/system/host-access.ts';
import type { Labels } from '../../domain/system/hosts.ts';
import { newSecret, sha256 } from '../auth/secrets.ts';
import type { Database, Sql } from '../orm.ts';
import { iso, json, LIST_LIMIT, rows } from '../sql.ts';
import { setHostCredential } from './host-credentials.ts';

export const HostEnrolmentEntity = defineEntity({
  name: 'HostEnrolment',
  tableName: 'host_enrolments',
  properties: {
    id: p.uuid().primary(),
    /** Of the token. */
    hash: p.blob(),
    /** The host that it is for; null lets the host choose. */
    name: p.text().nullable(),
    capabilities: p.json().$type<Labels>(),
    created_at: p.datetime(3),
    expires_at: p.datetime(3),
  },
});

const columns = `id, name, capabilities, ${iso('created_at')}, ${iso('expires_at')}`;

export type EnrolmentRepository = ReturnType<typeof createEnrolmentRepository>;

/** One-use tokens by which a new host gets its own credential. */
export function createEnrolmentRepository({ em }: Database) {
  return {
    async create({
      name,
      expires_in_minutes = 60,
      capabilities = {},
    }: NewEnrolment): Promise<CreatedEnrolment> {
      const token = `${ENROLMENT_TOKEN_PREFIX}${newSecret(256)}`;
      // Those that nobody used go with the next one.
      await em.execute('delete from host_enrolments where expires_at < now()');
      const [enrolment] = await rows<Enrolment>(
        em,
        `insert into host_enrolments (id, hash, name, capabilities, created_at, expires_at)
         values (?, ?, ?, ?, now(), now() + ? * interval '1 minute') returning ${columns}`,
        [uuidv7(), sha256(token), name ?? null, json(capabilities), expires_in_minutes],
      );
      if (!enrolment) throw new Error('PostgreSQL wrote no row');
      return { ...enrolment, token };
    },

    /** Those that can still be used, newest first. */
    list: (): Promise<Enrolment[]> =>
      rows(
        em,
        `select ${columns} from host_enrolments where expires_at > now() order by id desc limit ${LIST_LIMIT}`,
      ),

    /** @throws AppError `not_found` */
    async remove(id: string): Promise<void> {
      const removed = await rows(em, 'delete from host_enrolments where id = ? returning id', [id]);
      if (removed.length === 0) throw new AppError('not_found', `There is no open enrolment ${id}.`);
    },

    /**
     * Uses up a token: the host of that name has the credential that this gives, and no other.
     * @throws AppError `unauthenticated`; `conflict`, which leaves the token as it was, when the token is for
     *   another name, or when a host of this name is online and the token was not made for it.
     */
    redeem: ({ token, name }: EnrolRequest): Promise<{ credential: string }> =>
      em.fork().transactional(async (tx) => {
        const [enrolment] = await rows<{ name: string | null; capabilities: Labels }>(
          tx,
          'delete from host_enrolments where hash = ? and expires_at > now() returning name, capabilities',
          [sha256(token)],
        );
        if (!enrolment)
          throw new AppError(
            'unauthenticated',
            'The enrolment token is unknown, was used already or has expired; an administrator makes a new one.',
          );
        if (enrolment.name === null) await refuseOnline(tx, name);
        else if (enrolment.name !== name)
          throw new AppError(
            'conflict',
            `The enrolment is for the host "${enrolment.name}", not for "${name}".`,
          );
        return setHostCredential(tx, name, { labels: enrolment.capabilities });
      }),
  };
}

/** A name that is in use is not taken over by chance. */
async function refuseOnline(tx: Sql, name: string): Promise<void> {
  const [host] = await rows<{ online: boolean }>(tx, 'select online from hosts where name = ? for update', [
    name,
  ]);
  if (host?.online)
    throw new AppError(
      'conflict',
      `A host "${name}" is online. Choose another name, delete that host, or make an enrolment for this very name.`,
    );
}
