import { Type } from 'typebox';
import type { StepRepository } from '../../db/neosyntis/steps.ts';
import type { TimelineRepository } from '../../db/neosyntis/timeline.ts';
import { AppError } from '../../domain/errors.ts';
import { StepSummary } from '../../domain/neosyntis/runs.ts';
import {
  iterationOf,
  StepDetail,
  StepFilter,
  StepQuery,
  StepsPage,
  Timeline,
} from '../../domain/neosyntis/steps.ts';
import { AnyJson, Id } from '../../domain/wire.ts';
import type { KeptValues } from '../../drivers/payloads/kept-values.ts';
import { pageUpTo } from '../http/page.ts';
import { ok, type Route, route } from '../http/route.ts';

const runPath = '/api/neosyntis/runs/{run_id}';
const RunParams = Type.Object({ run_id: Id });
const JSON_TYPE = 'application/json';

export interface StepRouteDeps {
  steps: StepRepository;
  timelines: TimelineRepository;
  kept: KeptValues;
}

/** What is known of each step of a run, during it and after. */
export const createStepRoutes = ({ steps, timelines, kept }: StepRouteDeps): Route[] => [
  route({
    method: 'GET',
    path: `${runPath}/steps`,
    access: 'neosyntis:workflows:read',
    summary: 'List a run’s steps',
    description: 'The 10,000 that are recorded, in the order in which they began.',
    params: RunParams,
    query: Type.Object({ ...StepFilter, ...StepsPage }, { additionalProperties: false }),
    answers: { 200: { description: 'without their data', schema: Type.Array(StepSummary) } },
    async handler({ user, params, query, request }) {
      const run = await steps.run(user, params.run_id);
      const { items, last } = await steps.list(run.id, query);
      return pageUpTo(last, items, query, request, items.length >= 1_000);
    },
  }),
  route({
    method: 'GET',
    path: `${runPath}/step`,
    access: 'neosyntis:workflows:read',
    summary: 'Read a step of a run',
    description:
      'Status, times, host, error and log are those of `attempt`, by default the latest one; the data are the latest one’s.',
    params: RunParams,
    query: Type.Object(
      { ...StepQuery, attempt: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })) },
      { additionalProperties: false },
    ),
    answers: { 200: { description: 'with its data, its log and all its attempts', schema: StepDetail } },
    async handler({ user, params, query }) {
      const run = await steps.run(user, params.run_id);
      const place = { path: query.path, iteration: iterationOf(query.iteration) };
      return ok(await steps.get(run.id, place, query.attempt));
    },
  }),
  ...(['input', 'output'] as const).map((which) =>
    route({
      method: 'GET',
      path: `${runPath}/step/${which}`,
      access: 'neosyntis:workflows:read',
      summary: `Download a step’s ${which}`,
      description: 'Whole, whatever its size: up to 8 MiB of JSON.',
      params: RunParams,
      query: Type.Object(StepQuery, { additionalProperties: false }),
      answers: { 200: { description: 'the value', schema: AnyJson } },
      async handler({ user, params, query, request }) {
        const run = await steps.run(user, params.run_id);
        const place = { path: query.path, iteration: iterationOf(query.iteration) };
        const stored = await steps.value(run.id, place, which);
        const json =
          'json' in stored
            ? Buffer.from(stored.json)
            : await kept.read(run.id, stored.blob, request.signal).then(bufferOf);
        return {
          status: 200,
          headers: {
            'Content-Type': JSON_TYPE,
            'Content-Disposition': `attachment; filename="${which}.json"`,
          },
          body: json,
        };
      },
    }),
  ),
  route({
    method: 'GET',
    path: `${runPath}/timeline`,
    access: 'neosyntis:workflows:read',
    summary: 'Read what a run cost',
    description:
      'Of every attempt of every step its queue time, run time and wait time; null where it is not known. The totals are of all recorded steps, the list has up to 1,000 of them: the next ones are in `Link`.',
    params: RunParams,
    query: Type.Object(StepsPage, { additionalProperties: false }),
    answers: { 200: { description: 'milliseconds', schema: Timeline } },
    async handler({ user, params, query, request }) {
      const run = await steps.run(user, params.run_id);
      const { timeline, last } = await timelines.read(run.id, query);
      const { headers = {} } = pageUpTo(last, timeline.steps, query, request, last !== undefined);
      return ok(timeline, headers);
    },
  }),
];

function bufferOf(value: Uint8Array | undefined): Buffer {
  if (!value) throw new AppError('not_found', 'The value is not in storage any more.');
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
