import type { Sql } from './orm.ts';

/**
 * Runs one statement and gives its rows as they come from PostgreSQL. Reads that many people make use it
 * rather than entities: it costs a third. `Row` is what the statement selects, which only its author can know.
 */
export async function rows<Row>(em: Sql, statement: string, params: unknown[] = []): Promise<Row[]> {
  return (await em.execute(statement, params, 'all')) as Row[];
}

/** Statements that were prepared once, by their text; a handful, for each is a constant of its repository. */
const statements = new Map<string, { name: string; text: string }>();

/**
 * As rows(), for what every request and every run does: PostgreSQL parses and plans it once a connection. Its text is
 * one of few, its parameters are bound, so each `?` needs a cast where PostgreSQL cannot tell its type. In a
 * transaction it is a statement like others.
 */
export async function prepared<Row>(em: Sql, statement: string, params: unknown[]): Promise<Row[]> {
  if (em.isInTransaction()) return rows(em, statement, params);
  const pool = await em.getConnection().getNativeClient();
  const found = await pool.query({ ...named(statement), values: params });
  return found.rows as Row[];
}

function named(statement: string): { name: string; text: string } {
  const known = statements.get(statement);
  if (known) return known;
  let count = 0;
  const text = statement.replaceAll('?', () => `$${++count}`);
  const made = { name: `vareon_${statements.size + 1}`, text };
  statements.set(statement, made);
  return made;
}

/** A time column as the public contract spells times: ISO 8601 UTC with milliseconds. */
export const iso = (column: string, name = column.split('.').at(-1)): string =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as ${name}`;

/** A JSON value as a parameter of type jsonb. */
export const json = (value: unknown): string => JSON.stringify(value);

export interface Page {
  limit?: number;
  cursor?: string;
}

/** Without `limit` a list gives this many entries at most. */
export const LIST_LIMIT = 1_000;

/** What the large columns of one list may have together; what goes beyond it is the next page's. */
export const LIST_BYTES = 8 * 1024 * 1024;

/** The keyset part of a list's statement, newest first: ids are UUIDv7, so they order by time. */
export function pageClause(page: Page, idColumn = 'id'): { where: string; params: unknown[]; tail: string } {
  const limit = Math.min(Math.max(1, Math.trunc(page.limit ?? LIST_LIMIT)), LIST_LIMIT);
  return {
    where: page.cursor ? `and ${idColumn} < ?` : '',
    params: page.cursor ? [page.cursor] : [],
    tail: `order by ${idColumn} desc limit ${limit}`,
  };
}
