import { type Static, Type } from 'typebox';
import { AnyJson, Id, literals, nullable, Time } from '../wire.ts';
import { ShownSource } from './sources.ts';

export const workflowStatuses = ['pending', 'running', 'completed', 'failed'] as const;

const Steps = Type.Array(AnyJson, {
  description:
    'The `do` list of an Open Workflow Specification 1.0.3 document, or the short form of strings; see docs/steps.md.',
});

/** `status` is the latest run's: waiting and paused show as running, cancelled as failed. */
export const Workflow = Type.Object(
  {
    id: Id,
    name: Type.String({ minLength: 1, maxLength: 200 }),
    description: nullable(Type.String({ maxLength: 10_000 })),
    status: literals(workflowStatuses),
    steps: Steps,
    version: Type.Integer(),
    created_at: Time,
    updated_at: Time,
    owner_id: Id,
  },
  { $id: 'Workflow', additionalProperties: false },
);
export type Workflow = Static<typeof Workflow>;

const Warnings = Type.Array(Type.Object({ path: Type.String(), message: Type.String() }), {
  description:
    'what will not work as things are now, such as a secret that does not exist; left out when empty',
});

/** A workflow as saving it answers. */
export const SavedWorkflow = Type.Object(
  { ...Workflow.properties, warnings: Type.Optional(Warnings) },
  { $id: 'SavedWorkflow', additionalProperties: false },
);

const Note = Type.String({ maxLength: 1_000, description: 'what is said about this version' });

export const NewWorkflow = Type.Object(
  {
    name: Workflow.properties.name,
    description: Type.Optional(Workflow.properties.description),
    steps: Steps,
    note: Type.Optional(Note),
  },
  {
    additionalProperties: false,
    examples: [{ name: 'greet', steps: [{ greet: { set: { message: '${ "Hello " + .name }' } } }] }],
  },
);

/** Checked as a definition, task by task. */
export const ImportedDocument = Type.Record(Type.String(), AnyJson, {
  examples: [
    {
      document: { dsl: '1.0.3', namespace: 'default', name: 'rest', version: '0.1.0' },
      do: [{ rest: { wait: 'PT5S' } }],
      timeout: { after: 'PT1M' },
    },
  ],
});

/** `warnings` may come back as they were answered; they change nothing. */
export const WorkflowUpdate = Type.Object(
  { ...Type.Partial(SavedWorkflow).properties, note: Type.Optional(Note) },
  { additionalProperties: false, examples: [{ name: 'greet politely' }] },
);

export const ValidateRequest = Type.Object(
  { steps: Steps },
  { additionalProperties: false, examples: [{ steps: [{ rest: { wait: 'PT5S' } }] }] },
);

export const ValidateResult = Type.Object(
  {
    valid: Type.Boolean(),
    errors: Type.Array(Type.Object({ path: Type.String(), message: Type.String() })),
    warnings: Type.Optional(Warnings),
    tasks: Type.Integer({ description: 'tasks in all, nested ones included' }),
  },
  { $id: 'ValidateResult' },
);

const versionFields = {
  version: Type.Integer(),
  created_at: Time,
  created_by: Id,
  note: nullable(Type.String()),
  steps: Steps,
};

export const WorkflowVersion = Type.Object(versionFields, { $id: 'WorkflowVersion' });
export type WorkflowVersion = Static<typeof WorkflowVersion>;

/** A whole document; a record, so that any version of the language can be read. */
const AnyDocument = Type.Record(Type.String(), AnyJson, {
  description: 'an Open Workflow Specification document',
});

export const VersionDetails = Type.Object(
  {
    ...versionFields,
    document: AnyDocument,
    sources: Type.Array(ShownSource, { description: 'what it names elsewhere, as it was read at its save' }),
  },
  { $id: 'VersionDetails' },
);
export type VersionDetails = Static<typeof VersionDetails>;

export const RestoreRequest = Type.Object(
  { note: Type.Optional(Note) },
  { additionalProperties: false, examples: [{ note: 'the new one was too slow' }] },
);

export const definitionFormats = ['json', 'yaml'] as const;
