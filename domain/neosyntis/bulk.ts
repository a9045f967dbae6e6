import { Type } from 'typebox';
import { Id, literals } from '../wire.ts';
import { runFilters, runStatuses } from './runs.ts';

/** Type of the job that cancels many runs. */
export const BULK_JOB = 'cancel_runs';

/** Runs that one request cancels at most. */
export const BULK_LIMIT = 1_000;

export const BulkRequest = Type.Object(
  { ...runFilters, ids: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: BULK_LIMIT })) },
  { additionalProperties: false, minProperties: 1, examples: [{ status: 'waiting', name: 'nightly' }] },
);

/** Runs that one request runs again at most: each is a row and a start before the answer comes. */
export const RERUNS_LIMIT = 100;

export const BulkRerun = Type.Object(
  {
    started: Type.Array(Type.Object({ rerun_of: Id, run_id: Id }), { description: 'oldest first' }),
    refused: Type.Array(Type.Object({ rerun_of: Id, code: Type.String(), detail: Type.String() }), {
      description: 'of these no run was started, and why',
    }),
    more: Type.Boolean({
      description: 'there are more than one request takes: name them, or say `created_after`',
    }),
  },
  { $id: 'BulkRerun' },
);

export const BulkStarted = Type.Object(
  {
    job_id: Id,
    status: literals(runStatuses),
    matched: Type.Integer({ description: 'open runs that are being cancelled' }),
    more: Type.Boolean({ description: 'there are more than one request takes: ask again' }),
  },
  { $id: 'BulkStarted' },
);
