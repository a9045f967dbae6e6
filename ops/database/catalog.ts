import type { Client } from 'pg';
import type { Sequence, Table } from '../archive/manifest.ts';
import { Problem } from '../problem.ts';

/** MikroORM's own table: the migrations that a restore runs write it again. */
const MIGRATIONS = 'migrations';

/** The migrations that a database has, in order. @throws Problem when it is not one of ours */
export async function readMigrations(client: Client): Promise<string[]> {
  const { rows: there } = await client.query<{ found: string | null }>(
    `select to_regclass('public.${MIGRATIONS}')::text as found`,
  );
  if (!there[0]?.found)
    throw new Problem('There is nothing to back up: the database has no tables of Vareon yet.');
  const { rows } = await client.query<{ name: string }>(`select name from ${MIGRATIONS} order by id`);
  return rows.map(({ name }) => name);
}

/** Every table with the columns that hold data, each after those that its rows refer to. */
export async function readTables(client: Client): Promise<Omit<Table, 'rows'>[]> {
  const { rows: tables } = await client.query<{ name: string; columns: string[] }>(
    `select c.relname as name, array_agg(a.attname::text order by a.attnum) as columns
     from pg_class c join pg_attribute a on a.attrelid = c.oid
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname <> $1
       and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
     group by c.relname order by c.relname`,
    [MIGRATIONS],
  );
  const { rows: partitions } = await client.query<{ name: string; of: string; bounds: string }>(
    `select c.relname as name, p.relname as of, pg_get_expr(c.relpartbound, c.oid) as bounds
     from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'`,
  );
  const partitionOf = new Map(partitions.map((found) => [found.name, partition(found)]));
  const { rows: references } = await client.query<{ source: string; target: string }>(
    `select s.relname as source, t.relname as target from pg_constraint k
     join pg_class s on s.oid = k.conrelid join pg_class t on t.oid = k.confrelid
     where k.contype = 'f' and k.conrelid <> k.confrelid and s.relnamespace = 'public'::regnamespace`,
  );
  return inOrder(
    tables.map((table) => {
      const found = partitionOf.get(table.name);
      return found ? { ...table, partition: found } : table;
    }),
    references,
  );
}

/** Partitions are made as the data needs them, by ranges of whole numbers. @throws Problem for others */
function partition({ name, of, bounds }: { name: string; of: string; bounds: string }): Table['partition'] {
  const [, from, to] = /^FOR VALUES FROM \('(-?\d+)'\) TO \('(-?\d+)'\)$/.exec(bounds) ?? [];
  if (from === undefined || to === undefined)
    throw new Problem(`The table ${name} is a part of ${of} that no backup holds: ${bounds}.`);
  return { of, from, to };
}

function inOrder<T extends { name: string }>(tables: T[], references: { source: string; target: string }[]) {
  const ordered: T[] = [];
  let left = tables;
  while (left.length > 0) {
    const waiting = new Set(left.map(({ name }) => name));
    const isReady = ({ name }: T) =>
      !references.some(({ source, target }) => source === name && waiting.has(target));
    const ready = left.filter(isReady);
    if (ready.length === 0)
      throw new Problem(`The tables ${[...waiting].join(', ')} refer to each other in a circle.`);
    ordered.push(...ready);
    left = left.filter((table) => !ready.includes(table));
  }
  return ordered;
}

/** Where sequences stand. Those of identity columns are among them. */
export async function readSequences(client: Client): Promise<Sequence[]> {
  const { rows: names } = await client.query<{ name: string }>(
    `select sequencename::text as name from pg_sequences
     where schemaname = 'public' and sequencename not like '${MIGRATIONS}\\_%' order by 1`,
  );
  const sequences: Sequence[] = [];
  for (const { name } of names) {
    const { rows } = await client.query<{ value: string; called: boolean }>(
      `select last_value::text as value, is_called as called from public."${name.replaceAll('"', '""')}"`,
    );
    sequences.push({ name, value: rows[0]?.value ?? '1', called: rows[0]?.called ?? false });
  }
  return sequences;
}
