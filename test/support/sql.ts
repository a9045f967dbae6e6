import pg from 'pg';

export interface TestDatabase {
  /** Runs one statement, each `?` in it a parameter, several for a list; its rows, with times as texts. */
  sql<Row>(statement: string, params?: unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

/** Date, timestamp, timestamptz and interval, of which JavaScript's dates would lose the microseconds. */
const TIMES = [1082, 1114, 1184, 1186];

/**
 * A connection to a database for what only a test may do. By pg alone: the ORM and its entities take over a second to
 * load, in each test file anew.
 */
export function openSql(databaseUrl: string): TestDatabase {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: 4,
    // A slow machine takes its time for it.
    connectionTimeoutMillis: 60_000,
    types: {
      getTypeParser: (oid, format) =>
        TIMES.includes(oid) ? (text: string) => text : pg.types.getTypeParser(oid, format),
    },
  });
  pool.on('error', () => {}); // of connections that nobody uses: the next statement opens another
  return {
    async sql<Row>(statement: string, params: unknown[] = []) {
      const given = [...params];
      const text = statement.replaceAll('?', () => literal(given.shift()));
      return (await pool.query(text)).rows as Row[]; // what it selects, which only its author can know
    },
    close: () => pool.end(),
  };
}

/** As PostgreSQL spells it, its type to be told by where it stands. */
function literal(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return value.map(literal).join(', ');
  if (Buffer.isBuffer(value)) return `'\\x${value.toString('hex')}'`;
  if (value instanceof Date) return pg.escapeLiteral(value.toISOString());
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return pg.escapeLiteral(typeof value === 'object' ? JSON.stringify(value) : String(value));
}
