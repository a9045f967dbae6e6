import { Migrator } from '@mikro-orm/migrations';
import { type EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Logger } from '../logs.ts';
import { entities } from './entities.ts';
import { locks } from './locks.ts';
import { migrations } from './migrations.ts';

export type Database = MikroORM;

/** What repositories work with: the pool's entity manager, or one transaction's. */
export type Sql = EntityManager;

export interface DatabaseOptions {
  databaseUrl: string;
  /** Connections at most; a request holds one only while it queries. */
  poolSize: number;
  /** How long to wait for a new connection, in ms; whoever asked something waits no longer than 3 s. */
  connectWithinMs?: number;
  log: Logger;
}

/** Opens the pool; whoever opens it closes it. */
export async function openDatabase({
  databaseUrl,
  poolSize,
  connectWithinMs = 2_500,
  log,
}: DatabaseOptions): Promise<Database> {
  return MikroORM.init({
    clientUrl: databaseUrl,
    entities: [...entities],
    extensions: [Migrator],
    // Repositories fork for each unit of work; plain statements go through the global one.
    allowGlobalContext: true,
    // A new connection plans every prepared statement anew: it outlives the pauses between bursts of requests.
    pool: { min: 0, max: poolSize, idleTimeoutMillis: 60_000 },
    driverOptions: {
      application_name: 'vareon',
      connectionTimeoutMillis: connectWithinMs,
      statement_timeout: 15_000,
      idle_in_transaction_session_timeout: 15_000,
      keepAlive: true,
    },
    logger: (message) => log.debug(message),
    migrations: { migrationsList: [...migrations], snapshot: false, tableName: 'migrations' },
  });
}

/** Brings the schema up to date; of many processes that start at once, one does it and the others wait. */
export async function migrate(database: Database): Promise<void> {
  await database.em.fork().transactional(async (em) => {
    // A migration may take its time, and so may waiting for it.
    await em.execute('set local statement_timeout = 0');
    await em.execute('set local idle_in_transaction_session_timeout = 0');
    await em.execute('select pg_advisory_xact_lock(?)', [locks.migration]);
    // The migrator uses a connection of its own; the lock is this transaction's until all of it is done.
    await database.migrator.up();
  });
}
