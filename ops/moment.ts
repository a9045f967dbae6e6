import type { Client } from 'pg';
import { Problem } from './problem.ts';
import type { StoreSnapshot } from './temporal-store.ts';

const WITHIN_MS = 60_000;

/**
 * Begins reading the database and Temporal's store at one moment: both see what a power cut at that moment
 * would have left, which is what the platform knows how to start from (docs/decisions/019).
 *
 * Nothing is locked. The database's snapshot is taken, then the store's, and then it is asked whether any
 * transaction became visible in between; then it begins again. Milliseconds lie between, so that this ends
 * soon even where hundreds of transactions a second commit.
 * @param reader keeps its transaction, READ ONLY, open
 * @param witness another connection
 * @throws Problem when there was no quiet moment in a minute
 */
export async function chooseMoment(
  reader: Client,
  witness: Client,
  store: StoreSnapshot | undefined,
): Promise<void> {
  for (const deadline = Date.now() + WITHIN_MS; ; ) {
    await reader.query('begin isolation level repeatable read read only');
    const before = await visible(reader);
    if (!store) return;
    store.begin();
    if ((await visible(witness)) === before) return;
    store.release();
    await reader.query('rollback');
    if (Date.now() > deadline)
      throw new Problem(
        'The database commits so often that no moment was found between two commits. Try again when less runs, or with the platform stopped.',
      );
  }
}

/** What is visible now, as text: equal texts see the same transactions. */
async function visible(client: Client): Promise<string> {
  const { rows } = await client.query<{ now: string }>('select pg_current_snapshot()::text as now');
  return rows[0]?.now ?? '';
}
