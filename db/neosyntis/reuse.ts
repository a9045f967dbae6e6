import type { RecordedStep, RerunFrom } from '../../domain/neosyntis/reuse.ts';
import type { Json } from '../../domain/wire.ts';
import type { Database } from '../orm.ts';
import { json, rows } from '../sql.ts';
import { arrayOf } from './steps.ts';

/** What a row has of a step's outcome; large values are blobs, shown here by their beginnings. */
export interface StoredOutcome {
  status: 'completed' | 'skipped';
  output: Json;
  output_blob: string | null;
  context: [Json] | null;
  context_blob: string | null;
  directive: string | null;
}

const outcomeColumns = 's.status, s.output, s.output_blob, s.context, s.context_blob, s.directive';

export type ReuseRepository = ReturnType<typeof createReuseRepository>;

/** Steps of ended runs, for those that repeat them. */
export function createReuseRepository({ em }: Database) {
  return {
    /** All of a run's steps, in the order in which they began. */
    steps: (runId: string, path?: string): Promise<RecordedStep[]> =>
      rows(
        em,
        `select path, iteration, status, begun::float8 as begun, ended::float8 as ended from run_steps
         where run_id = ? ${path === undefined ? '' : 'and path = ?'} order by ordinal`,
        [runId, ...(path === undefined ? [] : [path])],
      ),

    /** The outcomes of these steps, in their order; nothing for those with more data. */
    async small(
      runId: string,
      steps: readonly RerunFrom[],
      limitBytes: number,
    ): Promise<(StoredOutcome | undefined)[]> {
      const found = await rows<StoredOutcome & { n: number }>(
        em,
        `select x.n, ${outcomeColumns}
         from json_to_recordset(?::json) as x(n int, path text, iteration text)
         join run_steps s on s.run_id = ?::uuid and s.path = x.path and s.iteration = x.iteration::int[]
         where s.output_blob is null and s.context_blob is null
           and coalesce(octet_length(s.output::text), 0) + coalesce(octet_length(s.context::text), 0) <= ?`,
        [
          json(steps.map(({ path, iteration }, n) => ({ n, path, iteration: arrayOf(iteration) }))),
          runId,
          limitBytes,
        ],
      );
      const outcomes: (StoredOutcome | undefined)[] = steps.map(() => undefined);
      for (const { n, ...outcome } of found) outcomes[n] = outcome;
      return outcomes;
    },

    async one(runId: string, { path, iteration }: RerunFrom): Promise<StoredOutcome | undefined> {
      const [found] = await rows<StoredOutcome>(
        em,
        `select ${outcomeColumns} from run_steps s where s.run_id = ? and s.path = ? and s.iteration = ?::int[]`,
        [runId, path, arrayOf(iteration)],
      );
      return found;
    },
  };
}
