import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { openDatabase } from '../../db/orm.ts';
import { rows } from '../../db/sql.ts';
import { boundToUs } from '../../local/child/parent-death.ts';
import { supervise } from '../../local/child/supervise.ts';
import { freePort } from '../../local/ports.ts';
import { prepareCluster } from '../../local/postgres/cluster.ts';
import { databaseUrl, POSTGRES_STOP, postgresPart } from '../../local/postgres/part.ts';
import { findTemporal } from '../../local/temporal/binary.ts';
import { isServing } from '../../local/temporal/health.ts';
import { TEMPORAL_STOP, temporalPart } from '../../local/temporal/part.ts';
import { superviseTools, temporaryFolder } from './tools.ts';

const signal = new AbortController().signal;

test('PostgreSQL runs in a folder that only its owner may pass, and a kill loses nothing', async () => {
  using folder = temporaryFolder();
  expect(statSync(folder.path).mode & 0o077).toBe(0);
  const tools = superviseTools(folder.path);
  const cluster = await prepareCluster({ dataDir: folder.path, report: tools.report, signal });
  const port = await freePort();
  const postgres = supervise(postgresPart(cluster, port, await boundToUs(POSTGRES_STOP)), tools);
  await postgres.ready;
  const database = await openDatabase({
    databaseUrl: databaseUrl(cluster, port),
    poolSize: 1,
    log: pino({ level: 'silent' }),
  });
  try {
    await rows(database.em, 'create table kept as select 42 as answer');
    const again = postgres.nextUp();
    postgres.kill('SIGKILL');
    await again;
    const kept = await retry(() => rows<{ answer: number }>(database.em, 'select answer from kept'));
    expect(kept).toEqual([{ answer: 42 }]);
  } finally {
    await database.close();
    await postgres.stop(5_000);
  }
});

test('Temporal runs with its namespace, and after a kill again on the same ports', async () => {
  using folder = temporaryFolder();
  mkdirSync(join(folder.path, 'temporal'));
  const { env } = process;
  const binary = await findTemporal({ env, signal, progress: () => {} });
  const taken = new Set<number>();
  const [port, httpPort, uiPort] = [await freePort(taken), await freePort(taken), await freePort(taken)];
  const bound = await boundToUs(TEMPORAL_STOP);
  const options = { binary, bound, dataDir: folder.path, namespace: 'factory', port, httpPort, uiPort, env };
  const temporal = supervise(temporalPart(options), superviseTools(folder.path));
  await temporal.ready;
  expect(await isServing(httpPort, 'factory')).toBe(true);
  expect(await isServing(httpPort, 'nowhere')).toBe(false);
  const again = temporal.nextUp();
  temporal.kill('SIGKILL');
  await again;
  expect(await isServing(httpPort, 'factory')).toBe(true);
  await temporal.stop(5_000);
  expect(await isServing(httpPort, 'factory')).toBe(false);
});

/** The pool notices only by an error that its connection was lost. */
async function retry<T>(work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
