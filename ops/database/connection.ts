import { Client } from 'pg';
import { Problem } from '../problem.ts';

/** What makes rows into the same text everywhere, whatever the server's or the user's settings are. */
const session = `set client_encoding = 'UTF8'; set timezone = 'UTC'; set datestyle = 'ISO, YMD';
  set intervalstyle = 'postgres'; set bytea_output = 'hex'; set extra_float_digits = 1;
  set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; set lock_timeout = '30s'`;

/** One connection of its own: a backup holds its transaction for as long as it takes. @throws Problem */
export async function connect(databaseUrl: string): Promise<Client> {
  const client = new Client({
    connectionString: databaseUrl,
    application_name: 'vareon-backup',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  });
  client.on('error', () => {}); // the statement that waits is rejected with it
  try {
    await client.connect();
    await client.query(session);
  } catch (error) {
    throw new Problem(`The database cannot be reached: ${(error as Error).message}.`, { cause: error });
  }
  return client;
}

/** A name in a statement. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
