import { openDatabase } from '../../db/orm.ts';
import { rows } from '../../db/sql.ts';
import { createLogger } from '../../logs.ts';
import { Problem } from '../problem.ts';

/**
 * Makes the tables as they were when the backup was made: its migrations and no later one, which the next
 * start runs over the rows that came with the backup.
 * @throws Problem when the database has tables already
 */
export async function migrateTo(databaseUrl: string, names: readonly string[]): Promise<void> {
  const database = await openDatabase({ databaseUrl, poolSize: 2, log: createLogger('restore', 'silent') });
  try {
    const [found] = await rows<{ name: string }>(
      database.em,
      "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') limit 1",
    );
    if (found)
      throw new Problem(
        `The database is not empty (it has the table ${found.name}): give an empty one in DATABASE_URL.`,
      );
    await database.migrator.up({ migrations: [...names] });
  } finally {
    await database.close();
  }
}
