import { defineEntity, p } from '@mikro-orm/postgresql';
import { AppError } from '../../domain/errors.ts';
import type { planHistory } from '../../domain/myntrix/metric-steps.ts';
import { measured } from '../../domain/myntrix/metric-values.ts';
import {
  type HistoryMetric,
  type HistoryPoint,
  type HostSummary,
  historyMetrics,
  type Sample,
  type SampleMessage,
  STALE_INTERVALS,
  STALE_MIN_SECONDS,
  type SystemMetrics,
} from '../../domain/myntrix/system-metrics.ts';
import type { Fallback } from '../../domain/system/access.ts';
import type { Database, Sql } from '../orm.ts';
import { iso, json, LIST_LIMIT, rows } from '../sql.ts';
import { deleted, PIECE_ROWS, type Piece } from '../system/retention.ts';

export const SystemMetricsEntity = defineEntity({
  name: 'SystemMetrics',
  tableName: 'system_metrics',
  properties: {
    host: p.text().primary(),
    generation: p.bigint('number'),
    seq: p.bigint('number'),
    at: p.datetime(3),
    sample: p.json().$type<Sample>(),
  },
});

const floats = () => p.array().columnType('double precision[]').$type<(number | null)[]>();

export const SystemMetricPointEntity = defineEntity({
  name: 'SystemMetricPoint',
  tableName: 'system_metric_points',
  properties: {
    host: p.text().primary(),
    step: p.integer().primary(),
    at: p.datetime(3).primary(),
    counts: p.array().columnType('integer[]').$type<number[]>(),
    sums: floats(),
    mins: floats(),
    maxs: floats(),
  },
});

/** Element by element; what is null, or beyond the end of the shorter one, is left out. */
const merged = (combine: string, column: string) =>
  `(select array_agg(${combine} order by i) from unnest(p.${column}, excluded.${column}) with ordinality as t (a, b, i))`;
const added = 'coalesce(a, 0) + coalesce(b, 0)';

const stale = `(not h.online or m.at < now() - make_interval(secs =>
  greatest(${STALE_INTERVALS} * (m.sample ->> 'interval_seconds')::float8, ${STALE_MIN_SECONDS})))`;

export type Plan = ReturnType<typeof planHistory>;

export interface HostTrouble {
  host: string;
  /** Of its newest sample. */
  timestamp: string | null;
  stale: boolean;
  fallbacks: Fallback[];
}

export type SystemMetricsRepository = ReturnType<typeof createSystemMetricsRepository>;

/** How the hosts' machines are, and were. It belongs to the installation: whoever may read it reads all. */
export function createSystemMetricsRepository({ em }: Database) {
  return {
    /**
     * Keeps a sample and adds it to its minute and its hour. One that another process has kept, an older one, and one
     * of an earlier holder of the host's name change nothing.
     * @returns what was kept, if it was
     */
    async keep(host: string, { generation, seq, sample }: SampleMessage): Promise<SystemMetrics | undefined> {
      const [kept] = await rows<{ timestamp: string }>(
        em,
        `with fresh as (
           insert into system_metrics as m (host, generation, seq, at, sample)
           select h.name, ?::bigint, ?::bigint, now(), ?::jsonb from hosts h where h.name = ? and h.generation = ?
           on conflict (host) do update set generation = excluded.generation, seq = excluded.seq,
             at = excluded.at, sample = excluded.sample
           where (m.generation, m.seq) < (excluded.generation, excluded.seq)
           returning host, at
         ), given as (
           select array_agg((x is not null)::int order by i) as counts, array_agg(coalesce(x, 0) order by i) as sums,
             array_agg(x order by i) as vals
           from (select value::float8 as x, i
             from jsonb_array_elements_text(?::jsonb) with ordinality as e (value, i)) v
         ), points as (
           insert into system_metric_points as p (host, step, at, counts, sums, mins, maxs)
           select f.host, s.step, case s.step when 0 then f.at else date_bin(make_interval(secs => s.step), f.at, 'epoch') end,
             g.counts, g.sums, g.vals, g.vals
           from fresh f, given g, (values (0), (60), (3600)) as s (step)
           on conflict (host, step, at) do update set counts = ${merged(added, 'counts')},
             sums = ${merged(added, 'sums')}, mins = ${merged('least(a, b)', 'mins')},
             maxs = ${merged('greatest(a, b)', 'maxs')}
         )
         select ${iso('at', 'timestamp')} from fresh`,
        [
          generation,
          seq,
          json(sample),
          host,
          generation,
          json(historyMetrics.map((name) => measured(sample)[name])),
        ],
      );
      const { fallbacks: _, ...shown } = sample;
      return kept && { host, timestamp: kept.timestamp, stale: false, ...shown };
    },

    /** Every host in short: those that are online first. */
    async hosts(): Promise<HostSummary[]> {
      const found = await rows<Omit<HostSummary, 'mocked'> & { mocked: true | null }>(
        em,
        `select h.name as host, case when h.online then 'online' else 'offline' end as status,
           ${iso('m.at', 'timestamp')}, coalesce(${stale}, true) as stale,
           (m.sample -> 'cpu_percent')::float8 as cpu_percent, (m.sample -> 'memory_percent')::float8 as memory_percent,
           m.sample -> 'mocked' as mocked
         from hosts h left join system_metrics m on m.host = h.name
         order by h.online desc, h.name limit ${LIST_LIMIT}`,
      );
      return found.map(({ mocked, ...host }) => ({ ...host, ...(mocked ? { mocked } : {}) }));
    },

    /**
     * The newest sample of a host, if it has sent one.
     * @throws AppError `not_found` when there is no such host
     */
    async latest(host: string): Promise<SystemMetrics | undefined> {
      const [found] = await rows<
        { timestamp: string; stale: boolean; sample: Sample } | { timestamp: null; sample: null }
      >(
        em,
        `select ${iso('m.at', 'timestamp')}, ${stale} as stale, m.sample
         from hosts h left join system_metrics m on h.name = m.host where h.name = ?`,
        [host],
      );
      if (!found) throw new AppError('not_found', `There is no host "${host}".`);
      if (!found.sample) return undefined;
      const { fallbacks: _, ...shown } = found.sample;
      return { host, timestamp: found.timestamp, stale: found.stale, ...shown };
    },

    /** Hosts that are online, and have sent nothing of late or say that they make something up. */
    troubles: (): Promise<HostTrouble[]> =>
      rows(
        em,
        `select h.name as host, ${iso('m.at', 'timestamp')}, coalesce(${stale}, true) as stale,
           coalesce(m.sample -> 'fallbacks', '[]') as fallbacks
         from hosts h left join system_metrics m on m.host = h.name
         where h.online and (m.host is null or ${stale} or m.sample -> 'fallbacks' <> '[]'::jsonb)
         order by h.name limit 200`,
      ),

    /**
     * A host's past, oldest first.
     * @throws AppError `not_found` when there is no such host
     */
    async history(host: string, { source, step, fromMs, toMs }: Plan): Promise<HistoryPoint[]> {
      const [known] = await rows(em, 'select 1 from hosts where name = ?', [host]);
      if (!known) throw new AppError('not_found', `There is no host "${host}".`);
      const found = await rows<{ timestamp: string; avg: Values; min: Values; max: Values }>(
        em,
        `select ${iso('bucket', 'timestamp')}, array[${columns.avg}] as avg, array[${columns.min}] as min,
           array[${columns.max}] as max
         from (select date_bin(make_interval(secs => ?), at, 'epoch') as bucket, counts, sums, mins, maxs
           from system_metric_points
           where host = ? and step = ? and at >= to_timestamp(?::float8 / 1000) and at < to_timestamp(?::float8 / 1000)) p
         group by bucket order by bucket`,
        [step, host, source, fromMs, toMs],
      );
      return found.map(({ timestamp, avg, min, max }) => ({
        timestamp,
        ...named(avg),
        min: named(min),
        max: named(max),
      }));
    },
  };
}

type Values = (number | null)[];

const each = (expression: (index: number) => string): string =>
  historyMetrics.map((_, at) => expression(at + 1)).join(', ');

const columns = {
  avg: each((i) => `sum(sums[${i}]) / nullif(sum(counts[${i}]), 0)`),
  min: each((i) => `min(mins[${i}])`),
  max: each((i) => `max(maxs[${i}])`),
};

const named = (values: Values) =>
  Object.fromEntries(
    historyMetrics.map((name, at) => [name, values[at] == null ? null : Math.round(values[at] * 100) / 100]),
  ) as Record<HistoryMetric, number | null>; // historyMetrics are all the keys

/** Deletes the oldest rows of a step. */
export const pruneMetrics = (tx: Sql, step: number, days: number): Promise<Piece> =>
  deleted(
    tx,
    `delete from system_metric_points where (host, step, at) in (
       select host, step, at from system_metric_points
       where step = ? and at < now() - make_interval(days => ?) order by at limit ${PIECE_ROWS})`,
    [step, days],
  );
