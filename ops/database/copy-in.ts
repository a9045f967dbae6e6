import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import type { Client } from 'pg';
import { type CopyStreamQuery, from as copyFrom } from 'pg-copy-streams';
import type { Manifest, Table } from '../archive/manifest.ts';
import { Problem } from '../problem.ts';
import { quoted } from './connection.ts';
import { tableOf } from './copy-out.ts';

export interface Loader {
  /** Takes the next piece of a table. */
  add(path: string, content: AsyncIterable<Buffer>): Promise<void>;
  /** Compares what was loaded with the manifest and commits. @throws Problem, and nothing is loaded then */
  finish(): Promise<void>;
}

/** Loads a backup's rows into the tables that its migrations made, in one transaction. */
export async function createLoader(client: Client, manifest: Manifest): Promise<Loader> {
  const tables = new Map(manifest.tables.map((table) => [table.name, table]));
  await client.query('begin');
  // The triggers that note changes of state leave these alone.
  await client.query("set local vareon.loading = 'on'");
  for (const { name, partition } of manifest.tables)
    if (partition)
      await client.query(
        `create table public.${quoted(name)} partition of public.${quoted(partition.of)}
         for values from (${partition.from}) to (${partition.to})`,
      );
  // What the migrations themselves wrote is in the backup too, as it became.
  for (const { name } of manifest.tables.toReversed())
    await client.query(`delete from public.${quoted(name)}`);
  let open: { table: Table; stream: CopyStreamQuery; done: Promise<void> } | undefined;

  async function close(): Promise<void> {
    if (!open) return;
    open.stream.end();
    await open.done;
    open = undefined;
  }

  async function begin(table: Table): Promise<void> {
    await close();
    const columns = table.columns.map(quoted).join(', ');
    const stream = client.query(copyFrom(`copy public.${quoted(table.name)} (${columns}) from stdin`));
    const done = finished(stream);
    done.catch(() => {}); // awaited in close
    open = { table, stream, done };
  }

  async function write(chunk: Buffer): Promise<void> {
    if (!open || open.stream.write(chunk)) return;
    await Promise.race([once(open.stream, 'drain'), open.done]);
  }

  return {
    async add(path, content) {
      const table = tables.get(tableOf(path) ?? '');
      if (!table) throw new Problem(`The backup holds ${path}, and its manifest no such table.`);
      if (open?.table !== table) await begin(table);
      for await (const chunk of content) await write(chunk);
    },
    async finish() {
      await close();
      for (const { name, rows } of manifest.tables) {
        const { rows: counted } = await client.query<{ n: string }>(
          `select count(*) as n from public.${quoted(name)}`,
        );
        if (Number(counted[0]?.n) !== rows)
          throw new Problem(
            `The table ${name} has ${counted[0]?.n} rows after loading; the backup says ${rows}.`,
          );
      }
      for (const { name, value, called } of manifest.sequences)
        await client.query('select setval($1::regclass, $2::bigint, $3)', [
          `public.${quoted(name)}`,
          value,
          called,
        ]);
      await client.query('commit');
      await client.query('analyze');
    },
  };
}
