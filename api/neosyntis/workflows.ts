import { isDeepStrictEqual } from 'node:util';
import { Type } from 'typebox';
import type { WorkflowRepository } from '../../db/neosyntis/workflows.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import type { SecretMention } from '../../domain/neosyntis/sealed.ts';
import type { Sources } from '../../domain/neosyntis/sources.ts';
import { countTasks } from '../../domain/neosyntis/walk.ts';
import {
  ImportedDocument,
  NewWorkflow,
  SavedWorkflow,
  ValidateRequest,
  ValidateResult,
  Workflow,
  WorkflowUpdate,
} from '../../domain/neosyntis/workflows.ts';
import { IdParams, type Json, PageQuery } from '../../domain/wire.ts';
import { pageReply } from '../http/page.ts';
import { changesOf, etagOf, requireMatch } from '../http/put.ts';
import { created, noContent, ok, type Route, route } from '../http/route.ts';
import type { Definitions } from './definitions.ts';
import { type SecretNames, secretWarnings, withWarnings } from './secret-warnings.ts';

const base = '/api/neosyntis/workflows';

export interface WorkflowRouteDeps {
  workflows: WorkflowRepository;
  definitions: Definitions;
  /** Of the secrets that a user's runs can use. */
  secretNames: SecretNames;
  /** Brings the workflow's schedule in line after a change. */
  follow(workflowId: string): Promise<void>;
}

export const createWorkflowRoutes = ({
  workflows,
  definitions,
  secretNames,
  follow,
}: WorkflowRouteDeps): Route[] => [
  route({
    method: 'GET',
    path: base,
    access: 'neosyntis:workflows:read',
    summary: 'List your workflows',
    query: Type.Object({ ...PageQuery, name: Type.Optional(Type.String()) }, { additionalProperties: false }),
    description: 'Of large ones not all come at once: the next ones are in `Link`.',
    answers: { 200: { description: 'newest first', schema: Type.Array(Workflow) } },
    async handler({ user, query, request }) {
      const { items, more } = await workflows.list(user, query);
      return pageReply(items, query, request, more);
    },
  }),
  route({
    method: 'POST',
    path: base,
    access: 'neosyntis:workflows:write',
    summary: 'Create a workflow',
    description: 'Every problem of the steps is reported at its JSON pointer.',
    body: NewWorkflow,
    answers: { 201: { description: 'the workflow, version 1', schema: SavedWorkflow } },
    errors: ['rate_limited'],
    async handler({ user, body }) {
      const sources = await definitions.sourcesOfSteps(user, user.userId, body.steps);
      const definition = definitions.check(user, body.name, body.steps, { sources });
      const workflow = await workflows.create(user, {
        ...definition,
        name: body.name,
        note: body.note,
        description: body.description ?? null,
      });
      const warnings = await secretWarnings(definition.secrets, workflow.owner_id, secretNames);
      return created(withWarnings(workflow, warnings), `${base}/${workflow.id}`);
    },
  }),
  route({
    method: 'POST',
    path: `${base}/validate`,
    access: 'neosyntis:workflows:read',
    summary: 'Check steps without saving them',
    body: ValidateRequest,
    answers: { 200: { description: 'whether they can be saved, and all problems', schema: ValidateResult } },
    errors: ['rate_limited'],
    audit: false,
    async handler({ user, body }) {
      const { errors, tasks, secrets } = await definitions.problems(user, body.steps);
      const warnings = await secretWarnings(secrets, user.userId, secretNames);
      return ok(withWarnings({ valid: errors.length === 0, errors, tasks }, warnings));
    },
  }),
  route({
    method: 'POST',
    path: `${base}/import`,
    access: 'neosyntis:workflows:write',
    summary: 'Create a workflow from a whole document',
    description:
      'An Open Workflow Specification 1.0.3 document as JSON or YAML 1.2 (`application/yaml`). What is not supported is refused by name; with `validate_only` nothing is saved.',
    query: Type.Object({ validate_only: Type.Optional(Type.Boolean()) }, { additionalProperties: false }),
    body: ImportedDocument,
    reads: { 'application/yaml': definitions.readYaml },
    answers: {
      200: { description: 'it can be saved', schema: ValidateResult },
      201: { description: 'the workflow, version 1', schema: SavedWorkflow },
    },
    errors: ['rate_limited'],
    async handler({ user, body, query }) {
      const sources = await definitions.sourcesOfDocument(user, user.userId, body);
      const { secrets, ...definition } = definitions.checkDocument(user, body, sources);
      const { title, name, summary } = definition.document.document;
      const warnings = await secretWarnings(secrets, user.userId, secretNames);
      const valid = { valid: true, errors: [], tasks: countTasks(definition.document) };
      if (query.validate_only) return ok(withWarnings(valid, warnings));
      const workflow = await workflows.create(user, {
        ...definition,
        name: (title || name).slice(0, 200),
        description: summary ?? null,
      });
      await follow(workflow.id);
      return created(withWarnings(workflow, warnings), `${base}/${workflow.id}`);
    },
  }),
  route({
    method: 'GET',
    path: `${base}/{id}`,
    access: 'neosyntis:workflows:read',
    summary: 'Read a workflow',
    params: IdParams,
    answers: { 200: { description: 'with its newest version’s steps', schema: Workflow } },
    async handler({ user, params }) {
      const workflow = await workflows.get(user, params.id);
      return ok(workflow, { ETag: etagOf(workflow) });
    },
  }),
  route({
    method: 'PUT',
    path: `${base}/{id}`,
    access: 'neosyntis:workflows:write',
    summary: 'Change a workflow',
    description: 'New steps make a new version; runs that started before keep theirs. Honours If-Match.',
    params: IdParams,
    body: WorkflowUpdate,
    headers: { 'If-Match': 'the ETag of what was read' },
    answers: { 200: { description: 'the workflow as it is now', schema: SavedWorkflow } },
    errors: ['precondition_failed', 'rate_limited'],
    async handler({ user, params, body, request }) {
      const { warnings: _answered, note, ...sent } = body;
      let secrets: SecretMention[] = [];
      // Before the row is locked: what is elsewhere may take its time.
      const sources = sent.steps
        ? await sourcesFor({ workflows, definitions }, user, params.id, sent.steps)
        : {};
      const workflow = await workflows.update(user, params.id, (current, document) => {
        requireMatch(request.header('If-Match'), etagOf(current));
        const { steps, ...changes } = changesOf(current, sent, ['name', 'description', 'steps']);
        if (!steps) return changes;
        const definition = definitions.check(user, changes.name ?? current.name, steps, {
          base: document,
          sources,
        });
        secrets = definition.secrets;
        return { ...changes, definition: { ...definition, note } };
      });
      await follow(params.id);
      const warnings = await secretWarnings(secrets, workflow.owner_id, secretNames);
      return ok(withWarnings(workflow, warnings), { ETag: etagOf(workflow) });
    },
  }),
  route({
    method: 'DELETE',
    path: `${base}/{id}`,
    access: 'neosyntis:workflows:write',
    summary: 'Delete a workflow',
    description: 'Its ended runs stay readable by their ids; while a run is open it is refused.',
    params: IdParams,
    answers: { 204: { description: 'deleted' } },
    errors: ['conflict'],
    async handler({ user, params }) {
      await workflows.remove(user, params.id);
      await follow(params.id);
      return noContent();
    },
  }),
];

/** What new steps of a workflow name that is elsewhere; nothing is read when they are those that it has. */
async function sourcesFor(
  { workflows, definitions }: Pick<WorkflowRouteDeps, 'workflows' | 'definitions'>,
  user: Principal,
  id: string,
  steps: readonly Json[],
): Promise<Sources> {
  const current = await workflows.get(user, id);
  if (isDeepStrictEqual(steps, current.steps)) return {};
  const { document } = await workflows.version(user, id);
  return definitions.sourcesOfSteps(user, current.owner_id, steps, document.use);
}
