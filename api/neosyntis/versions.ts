import { Type } from 'typebox';
import type { WorkflowRepository } from '../../db/neosyntis/workflows.ts';
import { documentChanges, VersionChange } from '../../domain/neosyntis/changes.ts';
import { type Sources, shownSources } from '../../domain/neosyntis/sources.ts';
import {
  definitionFormats,
  RestoreRequest,
  VersionDetails,
  Workflow,
  WorkflowVersion,
} from '../../domain/neosyntis/workflows.ts';
import { IdParams, type Json, literals } from '../../domain/wire.ts';
import { etagOf } from '../http/put.ts';
import { ok, type Route, route } from '../http/route.ts';
import { yamlText } from '../http/yaml.ts';
import type { Definitions } from './definitions.ts';

const base = '/api/neosyntis/workflows/{id}';
const Version = Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1 });
const VersionParams = Type.Object({ ...IdParams.properties, version: Version });

/** What a workflow was in each of its versions. */
export const createVersionRoutes = (deps: {
  workflows: WorkflowRepository;
  definitions: Definitions;
}): Route[] => [
  route({
    method: 'GET',
    path: `${base}/definition`,
    access: 'neosyntis:workflows:read',
    summary: 'Read a workflow as a whole document',
    description: 'As JSON, or as YAML 1.2 that can be imported again; of the newest version or another.',
    params: IdParams,
    query: Type.Object(
      { format: Type.Optional(literals(definitionFormats)), version: Type.Optional(Version) },
      { additionalProperties: false },
    ),
    answers: {
      200: {
        description: 'an Open Workflow Specification 1.0.3 document',
        schema: VersionDetails.properties.document,
        texts: ['application/yaml'],
      },
    },
    async handler({ user, params, query }) {
      const {
        sources: _pinned,
        loose: _texts,
        ...document
      } = (await deps.workflows.version(user, params.id, query.version)).document;
      return query.format === 'yaml'
        ? ok(yamlText(document), { 'Content-Type': 'application/yaml; charset=utf-8' })
        : ok(document);
    },
  }),
  route({
    method: 'GET',
    path: `${base}/versions`,
    access: 'neosyntis:workflows:read',
    summary: 'List a workflow’s versions',
    params: IdParams,
    answers: {
      200: { description: 'newest first, as many as 8 MiB hold', schema: Type.Array(WorkflowVersion) },
    },
    handler: async ({ user, params }) => ok(await deps.workflows.versions(user, params.id)),
  }),
  route({
    method: 'GET',
    path: `${base}/versions/{version}`,
    access: 'neosyntis:workflows:read',
    summary: 'Read one version of a workflow',
    params: VersionParams,
    answers: { 200: { description: 'its steps as sent, and its document', schema: VersionDetails } },
    async handler({ user, params }) {
      const found = await deps.workflows.details(user, params.id, params.version);
      const { sources, loose: _texts, ...document } = storedDocument(found.document);
      return ok({ ...found, document, sources: shownSources(sources) });
    },
  }),
  route({
    method: 'POST',
    path: `${base}/versions/{version}/restore`,
    access: 'neosyntis:workflows:write',
    summary: 'Make an earlier version the newest again',
    description: 'A new version that is equal to it; it is checked as if it were sent anew.',
    params: VersionParams,
    body: RestoreRequest,
    bodyOptional: true,
    answers: { 200: { description: 'the workflow as it is now', schema: Workflow } },
    errors: ['rate_limited'],
    async handler({ user, params, body }) {
      const { document, steps } = await deps.workflows.details(user, params.id, params.version);
      const { sources, loose: _texts, ...plain } = storedDocument(document);
      const { usesCode } = deps.definitions.checkDocument(user, plain, sources);
      const note = body.note ?? `restores version ${params.version}`;
      const workflow = await deps.workflows.update(user, params.id, () => ({
        // What was stored was a document, and was found to be one again.
        definition: { document: document as never, steps, usesCode, note },
      }));
      return ok(workflow, { ETag: etagOf(workflow) });
    },
  }),
  route({
    method: 'GET',
    path: `${base}/diff`,
    access: 'neosyntis:workflows:read',
    summary: 'Compare two versions of a workflow',
    description: 'Tasks are told apart by their names, so that one that only moved is not new.',
    params: IdParams,
    query: Type.Object({ from: Version, to: Type.Optional(Version) }, { additionalProperties: false }),
    answers: {
      200: {
        description: 'what `to` (the newest version) has otherwise than `from`',
        schema: Type.Array(VersionChange),
      },
    },
    async handler({ user, params, query }) {
      const from = await deps.workflows.version(user, params.id, query.from);
      const to = await deps.workflows.version(user, params.id, query.to);
      return ok(documentChanges(comparable(from.document), comparable(to.document)));
    },
  }),
];

/** A document of whichever version; what it named elsewhere is beside its own parts. */
const storedDocument = (document: object) => document as Record<string, Json> & { sources?: Sources };

/** What was read elsewhere counts by its digest. */
function comparable(stored: object) {
  const { sources, loose: _texts, ...document } = storedDocument(stored);
  const read = shownSources(sources).map(({ uri, digest }) => [uri, digest]);
  return read.length === 0 ? document : { ...document, sources: Object.fromEntries(read) };
}
