import { readConfig } from '../config.ts';
import { migrate, openDatabase } from '../db/orm.ts';
import { createSealedRows } from '../db/system/sealed-rows.ts';
import { createEnvelope } from '../drivers/secrets/envelope.ts';
import { readKeys } from '../keys.ts';
import { createLogger } from '../logs.ts';
import { rotateKeys } from './key-rotation.ts';

/** Rotates the encryption key of the data folder and the database that the settings name; docs/keys.md. */
const config = readConfig(process.env);
const log = createLogger('rotate-keys', 'error');
const keys = readKeys(config);
const database = await openDatabase({ databaseUrl: config.DATABASE_URL ?? '', poolSize: 4, log });
const tell = (line: string) => void process.stdout.write(`${line}\n`);
try {
  await migrate(database);
  const rows = createSealedRows(database, createEnvelope(keys.encryption));
  let isDone = true;
  const ran = await rows.alone(async () => {
    isDone = await rotateKeys({ folder: config.keysDir, rows, tell });
  });
  if (!ran) tell('another rotation is under way');
  process.exitCode = ran && isDone ? 0 : 1;
} finally {
  await database.close();
}
