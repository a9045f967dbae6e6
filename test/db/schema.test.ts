import { expect, test } from '@jest/globals';
import { migrations } from '../../db/migrations.ts';
import { migrate, openDatabase } from '../../db/orm.ts';
import { rows } from '../../db/sql.ts';
import { createLogger } from '../../logs.ts';
import { newDatabase } from '../auth/installation.ts';

test('Entities and migrations agree about every column', async () => {
  const { database, drop } = await newDatabase();
  try {
    const difference = await database.schema.getUpdateSchemaSQL({
      wrap: false,
      safe: false,
      dropTables: false,
    });
    const statements = difference.split('\n').filter((line) => line.trim() !== '');
    // Indexes, keys and defaults live in the migrations only; columns and their types must be the same.
    expect(
      statements.filter((line) =>
        /\b(add column|alter column .* type|drop column|create table)\b/i.test(line),
      ),
    ).toEqual([]);
  } finally {
    await drop();
  }
});

test('Processes that start at once migrate once', async () => {
  const { database, drop } = await newDatabase();
  const [place] = await rows<{ name: string }>(database.em, 'select current_database() as name');
  await database.em.execute('drop schema public cascade; create schema public');
  const url = new URL(process.env.TEST_DATABASE_URL ?? '');
  url.pathname = `/${place?.name}`;
  const log = createLogger('test', 'silent');
  const processes = await Promise.all(
    [1, 2, 3].map(() => openDatabase({ databaseUrl: url.href, poolSize: 3, connectWithinMs: 60_000, log })),
  );
  try {
    await Promise.all(processes.map(migrate));
    const done = await rows<{ name: string }>(database.em, 'select name from migrations order by id');
    expect(done.map(({ name }) => name)).toEqual(migrations.map(({ name }) => name));
  } finally {
    await Promise.all(processes.map((one) => one.close()));
    await drop();
  }
});
