import type { NodeState } from '../../domain/neosyntis/graph.ts';
import type { Database } from '../orm.ts';
import { rows } from '../sql.ts';

export type GraphRepository = ReturnType<typeof createGraphRepository>;

/** What runs did at the tasks of their document. */
export function createGraphRepository({ em }: Database) {
  return {
    /** By the task's pointer: the step that began last, and how many there were. Whose run it is, is asked first. */
    async states(runId: string): Promise<Map<string, NodeState>> {
      const found = await rows<NodeState & { path: string }>(
        em,
        `select distinct on (path) path, status, attempt, (count(*) over (partition by path))::int as visits
         from run_steps where run_id = ? order by path, ordinal desc`,
        [runId],
      );
      return new Map(found.map(({ path, ...state }) => [path, state]));
    },
  };
}
