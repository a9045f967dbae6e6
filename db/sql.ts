import type { Sql } from './orm.ts';

/**
 * Runs one statement and gives its rows as they come from PostgreSQL. Reads that many people make use it
 * rather than entities: it costs a third. `Row` is what the statement selects, which only its author can know.
 */
export async function rows<Row>(em: Sql, statement: string, params: unknown[] = []): Promise<Row[]> {
  return (await em.execute(statement, params, 'all')) as Row[];
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
