import type { Database } from '../orm.ts';
import { rows } from '../sql.ts';

/** Whose a run is. */
export const createRunOwners =
  ({ em }: Database) =>
  async (runId: string): Promise<string | undefined> => {
    const [found] = await rows<{ owner_id: string }>(em, 'select owner_id from jobs where id = ?', [runId]);
    return found?.owner_id;
  };
