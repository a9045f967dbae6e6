import { Type } from 'typebox';
import type { RunRepository } from '../../db/neosyntis/runs.ts';
import type { WorkflowRepository } from '../../db/neosyntis/workflows.ts';
import {
  isEnded,
  Run,
  RunEnded,
  RunStarted,
  type RunSummary,
  RunSummary as RunSummarySchema,
  runFilters,
  runStatuses,
  StepSummary,
  TriggerRequest,
} from '../../domain/neosyntis/runs.ts';
import { Id, IdParams, literals, nullable, PageQuery, Time } from '../../domain/wire.ts';
import { pageReply } from '../http/page.ts';
import { accepted, ok, type Reply, type Route, route } from '../http/route.ts';
import type { Cancel } from './cancel.ts';
import type { Pause } from './pause.ts';
import type { createTrigger } from './trigger.ts';

const workflowPath = '/api/neosyntis/workflows/{id}';
const runPath = '/api/neosyntis/runs';
const RunParams = Type.Object({ run_id: Id });

const Status = Type.Object(
  {
    status: literals(runStatuses),
    /** Null before the first run. */
    run_id: nullable(Id),
    started_at: nullable(Time),
    ended_at: nullable(Time),
    steps: Type.Array(StepSummary),
  },
  { $id: 'RunStatus' },
);

export interface RunRouteDeps {
  workflows: WorkflowRepository;
  runs: RunRepository;
  trigger: ReturnType<typeof createTrigger>;
  cancel: Cancel;
  pause: Pause;
}

export const createRunRoutes = ({ workflows, runs, trigger, cancel, pause }: RunRouteDeps): Route[] => [
  route({
    method: 'POST',
    path: `${workflowPath}/trigger`,
    access: 'neosyntis:workflows:run',
    summary: 'Start a run',
    description: 'With `wait` the answer comes when the run has ended, or after that many seconds at most.',
    params: IdParams,
    query: Type.Object(
      { wait: Type.Optional(Type.Number({ minimum: 0, maximum: 60 })) },
      { additionalProperties: false },
    ),
    body: TriggerRequest,
    bodyOptional: true,
    headers: { 'Idempotency-Key': 'a repeat within 24 h answers the same run' },
    answers: {
      202: { description: 'the run is started', schema: RunStarted },
      200: { description: 'the run has ended', schema: RunEnded },
    },
    async handler({ user, params, query, body, request }) {
      const { runId, isNew } = await trigger.trigger(user, {
        workflowId: params.id,
        ...(body.version === undefined ? {} : { version: body.version }),
        input: body.input ?? null,
        idempotencyKey: request.header('Idempotency-Key'),
      });
      const { wait = 0 } = query;
      if (isNew && wait === 0) return triggered({ id: runId, status: 'pending' });
      return {
        status: 202,
        later: async () => triggered(await trigger.waitForEnd(user, runId, wait, request.signal)),
      };
    },
  }),
  route({
    method: 'GET',
    path: `${workflowPath}/status`,
    access: 'neosyntis:workflows:read',
    summary: 'Read the latest run’s status',
    params: IdParams,
    answers: { 200: { description: 'the run and its steps', schema: Status } },
    async handler({ user, params }) {
      const workflow = await workflows.get(user, params.id);
      const run = await runs.latest(user, workflow.id);
      if (!run) return ok({ status: 'pending', run_id: null, started_at: null, ended_at: null, steps: [] });
      const { status, id, started_at, ended_at } = run;
      return ok({ status, run_id: id, started_at, ended_at, steps: await runs.steps(id) });
    },
  }),
  route({
    method: 'GET',
    path: `${workflowPath}/runs`,
    access: 'neosyntis:workflows:read',
    summary: 'List a workflow’s runs',
    params: IdParams,
    query: Type.Object(
      { ...PageQuery, status: Type.Optional(literals(runStatuses)) },
      { additionalProperties: false },
    ),
    answers: { 200: { description: 'newest first', schema: Type.Array(RunSummarySchema) } },
    async handler({ user, params, query, request }) {
      const workflow = await workflows.get(user, params.id);
      return pageReply(await runs.list(user, workflow.id, query), query, request);
    },
  }),
  route({
    method: 'GET',
    path: runPath,
    access: 'neosyntis:workflows:read',
    summary: 'List runs of all workflows',
    query: Type.Object({ ...PageQuery, ...runFilters }, { additionalProperties: false }),
    answers: { 200: { description: 'newest first', schema: Type.Array(RunSummarySchema) } },
    handler: async ({ user, query, request }) => pageReply(await runs.all(user, query), query, request),
  }),
  route({
    method: 'GET',
    path: `${runPath}/{run_id}`,
    access: 'neosyntis:workflows:read',
    summary: 'Read a run',
    params: RunParams,
    answers: { 200: { description: 'with its steps, their data and logs', schema: Run } },
    handler: async ({ user, params }) => ok(await runs.get(user, params.run_id)),
  }),
  route({
    method: 'GET',
    path: `${runPath}/{run_id}/children`,
    access: 'neosyntis:workflows:read',
    summary: 'List the runs that a run has started',
    params: RunParams,
    query: Type.Object(PageQuery, { additionalProperties: false }),
    answers: { 200: { description: 'in the order of their ids', schema: Type.Array(RunSummarySchema) } },
    async handler({ user, params, query, request }) {
      const run = await runs.summary(user, params.run_id);
      return pageReply(await runs.children(user, run.id, query), query, request);
    },
  }),
  route({
    method: 'POST',
    path: `${runPath}/{run_id}/cancel`,
    access: 'neosyntis:workflows:run',
    summary: 'Cancel a run',
    description:
      'What is in flight is ended first, process trees included. Cancelling an ended run changes nothing.',
    params: RunParams,
    answers: { 202: { description: 'it is being cancelled, or has ended', schema: RunStarted } },
    async handler({ user, params }) {
      const run = await runs.summary(user, params.run_id);
      if (!isEnded(run.status)) await cancel(run.id);
      return accepted(started(run), `${runPath}/${run.id}`);
    },
  }),
  ...([true, false] as const).map((wanted) => {
    const word = wanted ? 'pause' : 'resume';
    return route({
      method: 'POST',
      path: `${runPath}/{run_id}/${word}`,
      access: 'neosyntis:workflows:run',
      summary: wanted ? 'Pause a run' : 'Let a paused run go on',
      description: wanted
        ? 'What runs goes on to its end, and no further step begins. Waits and time limits go on. Pausing a paused run changes nothing; one that has ended is a `conflict`.'
        : 'It goes on where it stood. Resuming a run that is not paused changes nothing; one that has ended is a `conflict`.',
      params: RunParams,
      errors: ['conflict'],
      answers: {
        202: { description: 'the run will follow; `status` is the one before', schema: RunStarted },
      },
      async handler({ user, params }) {
        const run = await runs.summary(user, params.run_id);
        await pause(run.id, wanted);
        return accepted(started(run), `${runPath}/${run.id}`);
      },
    });
  }),
];

const started = (run: Pick<RunSummary, 'id' | 'status'>) => ({
  run_id: run.id,
  job_id: run.id,
  status: run.status,
});

function triggered(run: RunSummary | { id: string; status: 'pending' }): Reply {
  if (!('output' in run) || !isEnded(run.status)) return accepted(started(run), `${runPath}/${run.id}`);
  return ok({
    ...started(run),
    ...(run.status === 'completed' ? { output: run.output } : {}),
    ...(run.error ? { error: run.error } : {}),
  });
}
