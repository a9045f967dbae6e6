import { AppError } from '../../domain/errors.ts';
import type { Aggregation, TelemetryPoint, TelemetryQuery } from '../../domain/neosyntis/telemetry.ts';
import { fillGaps } from '../../domain/neosyntis/telemetry-fill.ts';
import { QUERY_SERIES, RAW_DEFAULT, RAW_SERIES } from '../../domain/neosyntis/telemetry-limits.ts';
import { planAggregate, rangeOf } from '../../domain/neosyntis/telemetry-plan.ts';
import { timeOf } from '../../domain/neosyntis/telemetry-time.ts';
import type { RawReading, TelemetryQueries } from './telemetry-query.ts';
import type { FoundSeries, SeriesReader, TelemetrySeriesRepository } from './telemetry-series.ts';

export interface TelemetryAnswersDeps {
  series: Pick<TelemetrySeriesRepository, 'matching'>;
  queries: TelemetryQueries;
}

export interface Points {
  points: TelemetryPoint[];
  /** There is more after the last one. */
  cursor?: string;
}

/** Answers questions about telemetry: readings themselves, or what those of each bucket come to. */
export function createTelemetryAnswers({ series, queries }: TelemetryAnswersDeps) {
  async function readings(user: SeriesReader, query: TelemetryQuery, nowMs: number): Promise<Points> {
    const found = await series.matching(user, query, RAW_SERIES);
    const byNo = new Map(found.map((one) => [one.no, one]));
    const limit = query.limit ?? RAW_DEFAULT;
    const [atUs, no] = query.cursor?.split('_').map(Number) ?? [];
    const after = atUs !== undefined && no !== undefined ? { after: { atUs, series: no } } : {};
    const range = rangeOf(query, nowMs);
    const list = await queries.readings([...byNo.keys()], { ...range, ...after }, limit + 1);
    const shown = list.slice(0, limit);
    const last = list.length > limit ? shown.at(-1) : undefined;
    return {
      points: shown.map((one) => readingPoint(one, byNo.get(one.series))),
      ...(last ? { cursor: `${last.atUs}_${last.series}` } : {}),
    };
  }

  async function aggregates(
    user: SeriesReader,
    query: TelemetryQuery & { aggregation: Aggregation },
    nowMs: number,
  ): Promise<Points> {
    const { metric_name, fill = 'none' } = query;
    if (metric_name === undefined)
      throw wrong('metric_name', 'An aggregation is of one metric: name it in `metric_name`.');
    for (const name of ['limit', 'cursor'] as const)
      if (query[name] !== undefined)
        throw wrong(
          name,
          `\`${name}\` is for readings, not for buckets: ask for less time or larger buckets.`,
        );
    const found = await series.matching(user, query, QUERY_SERIES);
    const lines = query.group_by === 'series' ? found : [undefined];
    const plan = planAggregate(query, rangeOf(query, nowMs), lines.length);
    const buckets = await queries.buckets(
      found.map(({ no }) => no),
      plan,
      query.group_by === 'series',
    );
    const byLine = Map.groupBy(buckets, (bucket) => bucket.series);
    const points = lines.flatMap((line) =>
      fillGaps(byLine.get(line?.no ?? 0) ?? [], fill, plan).map(({ atUs, value, count }) => ({
        timestamp: timeOf(atUs),
        metric_name,
        value,
        count,
        ...(line ? { series_id: line.id } : {}),
      })),
    );
    return { points };
  }

  return {
    /** @throws AppError `invalid` for what cannot be asked, or is too much for one answer */
    ask(user: SeriesReader, query: TelemetryQuery, nowMs: number): Promise<Points> {
      const { aggregation } = query;
      if (aggregation !== undefined) return aggregates(user, { ...query, aggregation }, nowMs);
      for (const name of ['bucket', 'fill', 'group_by'] as const)
        if (query[name] !== undefined)
          throw wrong(
            name,
            `\`${name}\` needs an \`aggregation\`: without one the readings themselves are answered.`,
          );
      return readings(user, query, nowMs);
    },
  };
}

export type TelemetryAnswers = ReturnType<typeof createTelemetryAnswers>;

function readingPoint({ atUs, value }: RawReading, series: FoundSeries | undefined): TelemetryPoint {
  return {
    timestamp: timeOf(atUs),
    metric_name: series?.metric_name ?? '',
    value,
    series_id: series?.id ?? '',
    workflow_id: series?.workflow_id ?? null,
    dataset_id: series?.dataset_id ?? null,
    device_id: series?.device_id ?? null,
    tags: series?.tags ?? {},
  };
}

const wrong = (name: string, message: string): AppError =>
  new AppError('invalid', message, { errors: [{ path: `/${name}`, message }] });
