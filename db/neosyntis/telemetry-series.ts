import { createHash } from 'node:crypto';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { v7 as uuidv7 } from 'uuid';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { Reading, SeriesFilter, TelemetrySeries } from '../../domain/neosyntis/telemetry.ts';
import {
  INSTALLATION_OWNER,
  SERIES_OF_DEVICES,
  SERIES_OF_USER,
} from '../../domain/neosyntis/telemetry-limits.ts';
import type { Database, Sql } from '../orm.ts';
import { ownedBy } from '../owned.ts';
import { iso, json, type Page, pageClause, rows } from '../sql.ts';

export const TelemetrySeriesEntity = defineEntity({
  name: 'TelemetrySeries',
  tableName: 'telemetry_series',
  properties: {
    no: p.bigint('number').primary().autoincrement(),
    id: p.uuid(),
    owner_id: p.uuid(),
    key: p.blob(),
    metric_name: p.text(),
    workflow_id: p.uuid().nullable(),
    dataset_id: p.text().nullable(),
    device_id: p.text().nullable(),
    tags: p.json().$type<Record<string, string>>(),
    retention_days: p.integer().nullable(),
    created_at: p.datetime(3),
  },
});

/** Whose series, or everybody's. */
export type SeriesReader = Pick<Principal, 'userId' | 'isAdmin'>;

/** What of a reading says which series it is of. */
export type SeriesName = Pick<Reading, 'metric' | 'workflowId' | 'datasetId' | 'deviceId' | 'tags'>;

export interface KnownSeries {
  no: number;
  retentionDays: number | null;
}

export interface FoundSeries
  extends Pick<TelemetrySeries, 'id' | 'metric_name' | 'workflow_id' | 'dataset_id' | 'device_id' | 'tags'> {
  no: number;
}

/** One text a series: its parts have no line ends in them. */
export const seriesKey = ({ metric, workflowId, datasetId, deviceId, tags }: SeriesName): string => {
  const base = `${metric}\n${workflowId ?? ''}\n${datasetId ?? ''}\n${deviceId ?? ''}`;
  return tags.length === 0 ? base : `${base}\n${JSON.stringify(tags)}`;
};

const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex');

const shown = 'metric_name, workflow_id, dataset_id, device_id, tags';

/** Their own, and those that belong to the installation. */
const readableBy = (user: SeriesReader): ReturnType<typeof ownedBy> => {
  const owned = ownedBy(user, 'owner_id');
  return { where: `(${owned.where} or owner_id = ?)`, params: [...owned.params, INSTALLATION_OWNER] };
};

const columns = `id, ${shown}, nullif(owner_id, '${INSTALLATION_OWNER}') as owner_id, retention_days, ${iso('created_at')}`;

/** The condition under which a series is meant, and may be seen. */
function matching(user: SeriesReader, filter: SeriesFilter): { where: string; params: unknown[] } {
  const readable = readableBy(user);
  const parts = [readable.where];
  const params = [...readable.params];
  for (const name of ['metric_name', 'workflow_id', 'dataset_id', 'device_id'] as const)
    if (filter[name] !== undefined) {
      parts.push(`${name} = ?`);
      params.push(filter[name]);
    }
  if (filter.tag) {
    parts.push('tags @> ?::jsonb');
    params.push(json(Object.fromEntries(filter.tag.map(pairOf))));
  }
  return { where: parts.join(' and '), params };
}

function pairOf(tag: string): [string, string] {
  const colon = tag.indexOf(':');
  return [tag.slice(0, colon), tag.slice(colon + 1)];
}

export type TelemetrySeriesRepository = ReturnType<typeof createTelemetrySeriesRepository>;

export function createTelemetrySeriesRepository(database: Database) {
  const { em } = database;
  const missing = (id: string) => new AppError('not_found', `There is no telemetry series ${id}.`);

  return {
    /** The series with these keys; those that are not there yet are made, while the owner may have more. */
    async resolve(
      ownerId: string,
      wanted: ReadonlyMap<string, SeriesName>,
    ): Promise<Map<string, KnownSeries>> {
      const keyOf = new Map([...wanted.keys()].map((key) => [hashOf(key), key]));
      const known = await named(em, ownerId, keyOf);
      const absent = [...keyOf].filter(([, key]) => !known.has(key)).sort();
      if (absent.length === 0) return known;
      const [count] = await rows<{ n: number }>(
        em,
        'select count(*)::int as n from telemetry_series where owner_id = ?',
        [ownerId],
      );
      const most = ownerId === INSTALLATION_OWNER ? SERIES_OF_DEVICES : SERIES_OF_USER;
      const room = Math.max(0, most - (count?.n ?? 0));
      const made = absent.slice(0, room).map(([hash, key]) => ({ id: uuidv7(), hash, ...wanted.get(key) }));
      await em.execute(
        `insert into telemetry_series (id, owner_id, key, ${shown}, created_at)
         select e.id, ?, decode(e.hash, 'hex'), e.metric, e."workflowId", e."datasetId", e."deviceId",
           (select coalesce(jsonb_object_agg(t ->> 0, t ->> 1), '{}') from jsonb_array_elements(e.tags) t), now()
         from jsonb_to_recordset(?::jsonb) as e (id uuid, hash text, metric text, "workflowId" uuid, "datasetId" text,
           "deviceId" text, tags jsonb)
         order by e.hash on conflict (owner_id, key) do nothing`,
        [ownerId, json(made)],
      );
      return named(em, ownerId, keyOf);
    },

    /** Which of these workflows the user may read. */
    async readableWorkflows(user: SeriesReader, ids: readonly string[]): Promise<Set<string>> {
      const owned = ownedBy(user, 'owner_id');
      const found = await rows<{ id: string }>(
        em,
        `select id from workflows where id in (?) and deleted_at is null and ${owned.where}`,
        [ids, ...owned.params],
      );
      return new Set(found.map(({ id }) => id));
    },

    /** The series that a question is about. @throws AppError `invalid` when there are more than so many */
    async matching(user: SeriesReader, filter: SeriesFilter, limit: number): Promise<FoundSeries[]> {
      const { where, params } = matching(user, filter);
      const found = await rows<FoundSeries>(
        em,
        `select no::float8 as no, id, ${shown} from telemetry_series where ${where} order by no limit ${limit + 1}`,
        params,
      );
      if (found.length <= limit) return found;
      throw new AppError(
        'invalid',
        `More than ${limit} series match, which is the most that one such question is about: name more of metric_name, workflow_id, dataset_id, device_id and tag.`,
        { errors: [{ path: '/metric_name', message: `matches more than ${limit} series` }] },
      );
    },

    list(user: SeriesReader, filter: SeriesFilter, page: Page): Promise<TelemetrySeries[]> {
      const { where, params } = matching(user, filter);
      const clause = pageClause(page);
      return rows(
        em,
        `select ${columns} from telemetry_series where ${where} ${clause.where} ${clause.tail}`,
        [...params, ...clause.params],
      );
    },

    /** @throws AppError `not_found` */
    async keepFor(user: SeriesReader, id: string, days: number | null): Promise<TelemetrySeries> {
      const owned = ownedBy(user, 'owner_id');
      const [changed] = await rows<TelemetrySeries>(
        em,
        `update telemetry_series set retention_days = ? where id = ? and ${owned.where} returning ${columns}`,
        [days, id, ...owned.params],
      );
      if (!changed) throw missing(id);
      return changed;
    },
  };
}

async function named(
  em: Sql,
  ownerId: string,
  keyOf: ReadonlyMap<string, string>,
): Promise<Map<string, KnownSeries>> {
  const found = await rows<{ hash: string; no: number; retention_days: number | null }>(
    em,
    `select encode(key, 'hex') as hash, no::float8 as no, retention_days from telemetry_series
     where owner_id = ? and key = any(select decode(h, 'hex') from jsonb_array_elements_text(?::jsonb) h)`,
    [ownerId, json([...keyOf.keys()])],
  );
  return new Map(
    found.map(({ hash, no, retention_days }) => [
      keyOf.get(hash) ?? '',
      { no, retentionDays: retention_days },
    ]),
  );
}

/** What becomes of a user's series when the user goes. One that the heir has as well stays a series of its own. */
export async function reassignSeries(em: Sql, fromUserId: string, toUserId: string): Promise<void> {
  await em.execute(
    `update telemetry_series s set owner_id = ?, key = case when exists (
       select from telemetry_series o where o.owner_id = ? and o.key = s.key)
       then sha256(s.key || uuid_send(s.id)) else s.key end
     where s.owner_id = ?`,
    [toUserId, toUserId, fromUserId],
  );
}
