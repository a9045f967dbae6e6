import { expect, test } from '@jest/globals';
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
