import { Type } from 'typebox';
import type { ApprovalRepository } from '../../db/neosyntis/approvals.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import { Approval, ApprovalAnswer, ApprovalQuery } from '../../domain/neosyntis/approvals.ts';
import { Id, IdParams } from '../../domain/wire.ts';
import { pageReply } from '../http/page.ts';
import { ok, type Route, route } from '../http/route.ts';
import type { Answers } from './answers.ts';

const base = '/api/neosyntis/approvals';

const answered = { 200: { description: 'the run has the answer', schema: Approval } };

/** What runs ask of people. */
export const createApprovalRoutes = ({
  approvals,
  answers,
}: {
  approvals: ApprovalRepository;
  answers: Answers;
}): Route[] => [
  route({
    method: 'GET',
    path: base,
    access: 'neosyntis:workflows:read',
    summary: 'List what runs ask of people',
    description:
      'With `status=open` what waits for an answer of yours. Otherwise also what your own runs ask of others.',
    query: ApprovalQuery,
    answers: { 200: { description: 'newest runs first', schema: Type.Array(Approval) } },
    handler: async ({ user, query, request }) => pageReply(await approvals.list(user, query), query, request),
  }),
  route({
    method: 'GET',
    path: `${base}/{id}`,
    access: 'neosyntis:workflows:read',
    summary: 'Read what a run asks',
    params: IdParams,
    answers: { 200: { description: 'the question, and its answer', schema: Approval } },
    errors: ['not_found'],
    handler: async ({ user, params }) => ok(await approvals.get(user, params.id)),
  }),
  route({
    method: 'POST',
    path: `${base}/{id}`,
    access: 'neosyntis:approvals:answer',
    summary: 'Answer what a run asks',
    description:
      'The first answer counts. The same again is 200, another one 409 with who answered and when. After 200 the answer is durable.',
    params: IdParams,
    body: ApprovalAnswer,
    answers: answered,
    errors: ['not_found', 'conflict'],
    handler: async ({ user, params, body }) =>
      ok(await answers.answer(user, await approvals.get(user, params.id), body)),
  }),
  route({
    method: 'POST',
    path: '/api/neosyntis/runs/{run_id}/approvals/{path}',
    access: 'neosyntis:approvals:answer',
    summary: 'Answer what a step of a run asks',
    description:
      '`path` is the step’s JSON pointer, percent-encoded as one segment (`%2Fdo%2F0%2Frelease`), or the approval’s id, which also passes proxies that decode paths.',
    params: Type.Object({ run_id: Id, path: Type.String({ minLength: 1, maxLength: 4_000 }) }),
    query: Type.Object(
      {
        iteration: Type.Optional(
          Type.String({
            pattern: '^\\d{1,9}(\\.\\d{1,9}){0,63}$',
            description: 'of the step, such as `2` or `0.3`; needed when several rounds ask at once',
          }),
        ),
      },
      { additionalProperties: false },
    ),
    body: ApprovalAnswer,
    answers: answered,
    errors: ['not_found', 'conflict'],
    async handler({ user, params, query, body }) {
      const approval = await askedBy(approvals, user, params, query.iteration);
      return ok(await answers.answer(user, approval, body));
    },
  }),
];

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** @throws AppError `not_found`; `conflict` when several rounds of a loop ask at once. */
async function askedBy(
  approvals: ApprovalRepository,
  user: Principal,
  { run_id, path }: { run_id: string; path: string },
  iteration: string | undefined,
): Promise<Approval> {
  if (uuid.test(path)) {
    const approval = await approvals.get(user, path);
    if (approval.run_id !== run_id) throw missing(run_id, path);
    return approval;
  }
  const found = await approvals.ofStep(user, run_id, path, iteration?.split('.').map(Number));
  const [first, ...more] = found;
  if (!first) throw missing(run_id, path);
  if (more.length === 0) return first;
  const rounds = found.map((one) => one.iteration.join('.') || '(none)').join(', ');
  throw new AppError(
    'conflict',
    `${found.length} rounds of ${path} ask at once: name one by ?iteration=, of ${rounds}.`,
  );
}

const missing = (runId: string, path: string) =>
  new AppError('not_found', `No step ${path.slice(0, 200)} of a run ${runId} asks for an answer.`);
