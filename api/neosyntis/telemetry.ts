import { Type } from 'typebox';
import type { TelemetryAnswers } from '../../db/neosyntis/telemetry-answers.ts';
import type { TelemetrySeriesRepository } from '../../db/neosyntis/telemetry-series.ts';
import {
  exampleBatch,
  IngestAnswer,
  precisions,
  SentReadings,
  SeriesChange,
  SeriesQuery,
  TelemetryPoint,
  TelemetryQuery,
  TelemetrySeries,
} from '../../domain/neosyntis/telemetry.ts';
import {
  BATCH_BYTES,
  BATCH_ROWS,
  POINT_LIMIT,
  RAW_DEFAULT,
  RAW_LIMIT,
} from '../../domain/neosyntis/telemetry-limits.ts';
import { IdParams, literals } from '../../domain/wire.ts';
import { pageReply, pageUpTo } from '../http/page.ts';
import { ok, type Route, route } from '../http/route.ts';
import { mediaTypes, readBatch } from './telemetry-body.ts';
import { csvOf, wantsCsv } from './telemetry-csv.ts';
import type { Ingest } from './telemetry-ingest.ts';

const base = '/api/neosyntis/telemetry';

const examples = {
  json: exampleBatch,
  lines: '{"timestamp":"2026-11-21T09:30:00Z","metric_name":"bed.temperature","value":60.5}\n',
  influx: 'bed,room=lab temperature=60.5 1795253400000000000\n',
};

export interface TelemetryRouteDeps {
  ingest: Ingest;
  answers: TelemetryAnswers;
  series: Pick<TelemetrySeriesRepository, 'list' | 'keepFor'>;
}

/** Readings that anything sends by HTTP, and what they come to. Each belongs to who sent it. */
export const createTelemetryRoutes = ({ ingest, answers, series }: TelemetryRouteDeps): Route[] => [
  route({
    method: 'POST',
    path: `${base}/ingest`,
    access: 'neosyntis:telemetry:write',
    errors: ['too_large', 'unsupported_media_type', 'bad_request', 'invalid'],
    summary: 'Send telemetry',
    description: `A batch of at most ${BATCH_ROWS} rows and ${BATCH_BYTES} bytes: a JSON array, JSON lines, or InfluxDB's line protocol (whose times are in \`precision\`). What is right of it is stored when this is answered, together; rows that are not are named. A batch may be sent again: a series (owner, metric_name, ids and tags) has one value at a time, and the newest one sent counts.`,
    query: Type.Object(
      {
        precision: Type.Optional(literals(precisions)),
      },
      { additionalProperties: false },
    ),
    binaryBody: {
      limitBytes: BATCH_BYTES,
      types: {
        [mediaTypes.json]: { schema: SentReadings, example: examples.json },
        [mediaTypes.lines]: { schema: Type.String(), example: examples.lines },
        [mediaTypes.influx]: { schema: Type.String(), example: examples.influx },
      },
    },
    audit: false, // many times a second
    answers: {
      200: { description: 'at least one row was stored, or the batch is empty', schema: IngestAnswer },
    },
    async handler({ user, query, request }) {
      const nowMs = Date.now();
      const batch = await readBatch({
        stream: request.stream,
        contentType: request.header('content-type'),
        precision: query.precision ?? 'ns',
        nowMs,
      });
      return ok(await ingest.ingest(user, batch, nowMs));
    },
  }),
  route({
    method: 'GET',
    path: base,
    access: 'neosyntis:telemetry:read',
    summary: 'Read telemetry',
    description: `Oldest first; the last hour unless told. Without \`aggregation\` the readings themselves (${RAW_DEFAULT} unless \`limit\` says other, ${RAW_LIMIT} at most; the next ones by the Link header). With one, a point for each \`bucket\` that has readings: of all series that match together, or of each by itself (\`group_by=series\`), at most ${POINT_LIMIT} points. Buckets begin at multiples of their length since 1970, and the first and last are whole. Percentiles are within 1% (in buckets of less than a minute they are exact). \`fill\` says what buckets without readings have. CSV by \`format=csv\` or \`Accept: text/csv\`.`,
    query: TelemetryQuery,
    answers: {
      200: {
        description: 'readings, or what those of each bucket come to',
        schema: Type.Array(TelemetryPoint),
        texts: ['text/csv'],
      },
    },
    async handler({ user, query, request }) {
      const { points, cursor } = await answers.ask(user, query, Date.now());
      const page = pageUpTo(cursor, points, query, request, cursor !== undefined);
      if (!wantsCsv(query.format, request.header('accept'))) return page;
      return {
        ...page,
        body: csvOf(points, query.aggregation !== undefined),
        headers: { ...page.headers, 'Content-Type': 'text/csv; charset=utf-8' },
      };
    },
  }),
  route({
    method: 'GET',
    path: `${base}/series`,
    access: 'neosyntis:telemetry:read',
    summary: 'List telemetry series',
    description: 'A series is what readings of one owner, metric_name, ids and tags make.',
    query: SeriesQuery,
    answers: { 200: { description: 'newest first', schema: Type.Array(TelemetrySeries) } },
    async handler({ user, query, request }) {
      return pageReply(await series.list(user, query, query), query, request);
    },
  }),
  route({
    method: 'PUT',
    path: `${base}/series/{id}`,
    access: 'neosyntis:telemetry:write',
    summary: 'Say how long a telemetry series is kept',
    description:
      'In days, by whole weeks: retention deletes what is older. Readings older than that are refused.',
    params: IdParams,
    body: SeriesChange,
    errors: ['not_found'],
    answers: { 200: { description: 'the series', schema: TelemetrySeries } },
    async handler({ user, params, body }) {
      const changed = await series.keepFor(user, params.id, body.retention_days);
      ingest.forget();
      return ok(changed);
    },
  }),
];
