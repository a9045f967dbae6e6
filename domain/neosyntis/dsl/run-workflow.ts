import { Type } from 'typebox';
import { identifier, semver } from './identifiers.ts';

/** Another workflow of the same owner, by what its document says of itself. */
export const WorkflowProcess = Type.Object(
  {
    namespace: Type.String({ pattern: identifier }),
    name: Type.String({ pattern: identifier }),
    /** `latest`, the default, or the version of a document that was saved. */
    version: Type.Optional(Type.String({ pattern: `^latest$|${semver}`, maxLength: 100 })),
    input: Type.Optional(Type.Unknown()),
  },
  { additionalProperties: false },
);

/** Without `await` the run goes on, and the other one is nobody's. */
export const RunWorkflow = Type.Object(
  { await: Type.Optional(Type.Boolean()), workflow: WorkflowProcess },
  { additionalProperties: false },
);
