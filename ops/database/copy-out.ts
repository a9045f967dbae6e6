import type { Client } from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import type { Table } from '../archive/manifest.ts';
import { quoted } from './connection.ts';

/** Of a table this much is one entry of the archive, which is also what is held in memory. */
const PIECE_BYTES = 4 * 1024 * 1024;

/** The name of a table's piece in the archive. */
const pieceName = (table: string, piece: number): string =>
  `database/${table}/${String(piece).padStart(6, '0')}.copy`;

/** The table whose piece an entry is. */
export const tableOf = (path: string): string | undefined => /^database\/([^/]+)\/\d+\.copy$/.exec(path)?.[1];

/**
 * Gives a table's rows as PostgreSQL's COPY text, in pieces, from the snapshot that the connection's
 * transaction has. @returns how many rows they were
 */
export async function copyOut(
  client: Client,
  table: Omit<Table, 'rows'>,
  add: (path: string, content: Buffer) => Promise<void>,
): Promise<number> {
  const columns = table.columns.map(quoted).join(', ');
  const stream = client.query(copyTo(`copy public.${quoted(table.name)} (${columns}) to stdout`));
  let pieces = 0;
  let held: Buffer[] = [];
  let bytes = 0;
  const flush = async () => {
    if (bytes === 0) return;
    await add(pieceName(table.name, ++pieces), Buffer.concat(held));
    held = [];
    bytes = 0;
  };
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    held.push(chunk);
    bytes += chunk.length;
    if (bytes >= PIECE_BYTES) await flush();
  }
  await flush();
  return stream.rowCount;
}
