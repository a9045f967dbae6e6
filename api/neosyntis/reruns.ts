import { Type } from 'typebox';
import type { ReuseRepository } from '../../db/neosyntis/reuse.ts';
import type { RunRepository } from '../../db/neosyntis/runs.ts';
import type { StepRepository } from '../../db/neosyntis/steps.ts';
import type { WorkflowRepository } from '../../db/neosyntis/workflows.ts';
import { AppError } from '../../domain/errors.ts';
import type { Document } from '../../domain/neosyntis/dsl.ts';
import { namesOf, type RerunFrom } from '../../domain/neosyntis/reuse.ts';
import { isEnded, RerunRequest, RunStarted } from '../../domain/neosyntis/runs.ts';
import { walkTasks } from '../../domain/neosyntis/walk.ts';
import { Id } from '../../domain/wire.ts';
import { accepted, type Route, route } from '../http/route.ts';
import type { createTrigger } from './trigger.ts';

const runPath = '/api/neosyntis/runs';

export interface RerunRouteDeps {
  workflows: Pick<WorkflowRepository, 'version'>;
  runs: Pick<RunRepository, 'summary'>;
  steps: Pick<StepRepository, 'run'>;
  reuse: Pick<ReuseRepository, 'steps'>;
  trigger: Pick<ReturnType<typeof createTrigger>, 'trigger'>;
}

export function createRerunRoutes({ workflows, runs, steps, reuse, trigger }: RerunRouteDeps): Route[] {
  /** The step that is meant. @throws AppError `invalid` */
  async function startOf(runId: string, path: string, iteration: number[] | undefined): Promise<RerunFrom> {
    const found = (await reuse.steps(runId, path)).filter(
      (step) => iteration === undefined || step.iteration.join() === iteration.join(),
    );
    const [step, another] = found;
    if (!step)
      throw new AppError(
        'invalid',
        `The run has recorded no step at ${path.slice(0, 200)}${iteration ? ` in round ${iteration.join('.')}` : ''}: it was not reached, or is beyond the first 10,000.`,
      );
    if (another)
      throw new AppError(
        'invalid',
        `The step ran ${found.length} times; say with \`iteration\` which is meant, such as ${JSON.stringify(found.at(-1)?.iteration)}.`,
      );
    if (step.begun === null)
      throw new AppError(
        'invalid',
        'The run was recorded by an earlier version, which did not note what a step needs to go on; run all of it again.',
      );
    return { path, iteration: step.iteration };
  }

  return [
    route({
      method: 'POST',
      path: `${runPath}/{run_id}/rerun`,
      access: 'neosyntis:workflows:run',
      summary: 'Run an ended run again',
      description:
        'Starts a new run. With `from` the outcomes of the steps that had ended before that one began count, and the run goes on from there, in the same version or another one. A step that ended as `unknown` may be the one: whether to do it again is your decision.',
      params: Type.Object({ run_id: Id }),
      body: RerunRequest,
      bodyOptional: true,
      headers: { 'Idempotency-Key': 'a repeat within 24 h answers the same run' },
      answers: { 202: { description: 'the new run is started', schema: RunStarted } },
      errors: ['conflict'],
      async handler({ user, params, body, request }) {
        const run = await steps.run(user, params.run_id);
        if (!isEnded(run.status))
          throw new AppError('conflict', `Run ${run.id} is ${run.status}; cancel it or wait for its end.`);
        if (body.iteration !== undefined && body.from === undefined)
          throw new AppError('invalid', '`iteration` says which time of `from` is meant, which is missing.');
        const version = body.version ?? run.version;
        const from = body.from === undefined ? undefined : await startOf(run.id, body.from, body.iteration);
        if (from) {
          const { document } = await workflows.version(user, run.workflow_id, version);
          if (!hasTask(document, from.path))
            throw new AppError('invalid', `Version ${version} has no step ${namesOf(from.path)}.`);
        }
        const { runId } = await trigger.trigger(user, {
          workflowId: run.workflow_id,
          version,
          input: body.input === undefined ? (await runs.summary(user, run.id)).input : body.input,
          idempotencyKey: request.header('Idempotency-Key'),
          rerun: { runId: run.id, ...(from ? { from } : {}) },
        });
        return accepted({ run_id: runId, job_id: runId, status: 'pending' }, `${runPath}/${runId}`);
      },
    }),
  ];
}

/** Whether a definition has a task there, wherever in its list. */
function hasTask(document: Document, path: string): boolean {
  const wanted = namesOf(path);
  let found = false;
  walkTasks(document, (own) => {
    found ||= namesOf(own) === wanted;
  });
  return found;
}
