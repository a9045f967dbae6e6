import { Type } from 'typebox';
import type { JobRepository } from '../../db/myntrix/jobs.ts';
import { AppError } from '../../domain/errors.ts';
import { Job, JobStarted, type JobType, jobStatuses, jobTypes } from '../../domain/myntrix/jobs.ts';
import { isEnded } from '../../domain/neosyntis/runs.ts';
import { HostName } from '../../domain/system/hosts.ts';
import { IdParams, literals, PageQuery } from '../../domain/wire.ts';
import { pageReply } from '../http/page.ts';
import { accepted, ok, type Route, route } from '../http/route.ts';

const base = '/api/myntrix/jobs';

const LogPage = Type.Object(
  {
    offset: Type.Integer(),
    nextOffset: Type.Integer({ description: 'bytes; ask for this next' }),
    text: Type.String(),
    complete: Type.Boolean({ description: 'nothing will be added any more' }),
  },
  { $id: 'LogPage' },
);

export interface JobRouteDeps {
  jobs: JobRepository;
  /** How each type is cancelled; what is missing cannot be. */
  cancel: Partial<Record<JobType, (id: string) => Promise<void>>>;
}

export const createJobRoutes = ({ jobs, cancel }: JobRouteDeps): Route[] => [
  route({
    method: 'GET',
    path: base,
    access: 'myntrix:jobs:read',
    summary: 'List jobs',
    description:
      'Everything that runs or ran. With `host`: what has or had something running there. What changes is told on the topic `jobs` of /ws/events.',
    query: Type.Object(
      {
        ...PageQuery,
        status: Type.Optional(literals(jobStatuses)),
        type: Type.Optional(literals(jobTypes)),
        host: Type.Optional(HostName),
      },
      { additionalProperties: false },
    ),
    answers: { 200: { description: 'newest first; `logs` is empty here', schema: Type.Array(Job) } },
    handler: async ({ user, query, request }) => pageReply(await jobs.list(user, query), query, request),
  }),
  route({
    method: 'GET',
    path: `${base}/{id}`,
    access: 'myntrix:jobs:read',
    summary: 'Read a job',
    params: IdParams,
    answers: { 200: { description: 'with the end of its log', schema: Job } },
    handler: async ({ user, params }) => ok(await jobs.get(user, params.id)),
  }),
  route({
    method: 'GET',
    path: `${base}/{id}/logs`,
    access: 'myntrix:jobs:read',
    summary: 'Read a job’s log from a byte offset on',
    params: IdParams,
    query: Type.Object(
      { offset: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })) },
      { additionalProperties: false },
    ),
    answers: { 200: { description: 'about 256 KiB at most', schema: LogPage } },
    handler: async ({ user, params, query }) => ok(await jobs.logs(user, params.id, query.offset ?? 0)),
  }),
  route({
    method: 'POST',
    path: `${base}/{id}/cancel`,
    access: 'myntrix:jobs:write',
    summary: 'Cancel a job',
    description: 'Cancelling an ended job changes nothing.',
    errors: ['conflict'],
    params: IdParams,
    answers: { 202: { description: 'it is being cancelled, or has ended', schema: JobStarted } },
    async handler({ user, params }) {
      const job = await jobs.get(user, params.id);
      const end = cancel[job.type];
      if (!end) throw new AppError('conflict', `A job of type "${job.type}" cannot be cancelled.`);
      if (!isEnded(job.status)) await end(job.id);
      return accepted({ job_id: job.id, status: job.status }, `${base}/${job.id}`);
    },
  }),
];
