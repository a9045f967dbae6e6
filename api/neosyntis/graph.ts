import { Type } from 'typebox';
import type { GraphRepository } from '../../db/neosyntis/graph.ts';
import type { StepRepository } from '../../db/neosyntis/steps.ts';
import type { WorkflowRepository } from '../../db/neosyntis/workflows.ts';
import { AppError } from '../../domain/errors.ts';
import { graphOf, WorkflowGraph, withStates } from '../../domain/neosyntis/graph.ts';
import { mermaidOf } from '../../domain/neosyntis/mermaid.ts';
import { asItRuns } from '../../domain/neosyntis/use.ts';
import { Id, IdParams } from '../../domain/wire.ts';
import { ok, type Route, route } from '../http/route.ts';

export interface GraphRouteDeps {
  workflows: WorkflowRepository;
  steps: StepRepository;
  graphs: GraphRepository;
}

/** A workflow as a picture. */
export const createGraphRoutes = ({ workflows, steps, graphs }: GraphRouteDeps): Route[] => [
  route({
    method: 'GET',
    path: '/api/neosyntis/workflows/{id}/graph',
    access: 'neosyntis:workflows:read',
    summary: 'Read a workflow as a graph',
    description:
      'Of the newest version, of another, or of the one that a run runs, with what the run did at each task. Tasks of extensions are not in it.',
    params: IdParams,
    query: Type.Object(
      {
        version: Type.Optional(Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1 })),
        run_id: Type.Optional(Id),
      },
      { additionalProperties: false },
    ),
    answers: { 200: { description: 'its tasks, and where each leads', schema: WorkflowGraph } },
    async handler({ user, params, query }) {
      const run = query.run_id === undefined ? undefined : await steps.run(user, query.run_id);
      if (run) mustFit(run, params.id, query.version);
      const version = run?.version ?? query.version ?? (await workflows.get(user, params.id)).version;
      const { document } = await workflows.version(user, params.id, version);
      const plain = graphOf(asItRuns(document));
      const graph = run ? withStates(plain, await graphs.states(run.id)) : plain;
      return ok({ version, ...graph, mermaid: mermaidOf(graph) });
    },
  }),
];

function mustFit(
  run: { id: string; workflow_id: string; version: number },
  workflowId: string,
  version: number | undefined,
): void {
  if (run.workflow_id !== workflowId)
    throw new AppError(
      'invalid',
      `Run ${run.id} is one of workflow ${run.workflow_id}, not of ${workflowId}.`,
    );
  if (version !== undefined && version !== run.version)
    throw new AppError(
      'invalid',
      `Run ${run.id} runs version ${run.version}, not ${version}: leave out one of the two.`,
    );
}
