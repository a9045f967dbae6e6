import { expect, test } from '@jest/globals';
import { Client } from 'pg';
import { rows } from '../../db/sql.ts';
import { chooseMoment } from '../../ops/moment.ts';
import { newDatabase } from '../auth/installation.ts';

test('A moment between which something was committed is not taken: the next one sees it', async () => {
  const { database, drop } = await newDatabase();
  const [place] = await rows<{ name: string }>(database.em, 'select current_database() as name');
  const url = new URL(process.env.TEST_DATABASE_URL ?? '');
  url.pathname = `/${place?.name}`;
  const [reader, witness] = [new Client(url.href), new Client(url.href)];
  await Promise.all([reader.connect(), witness.connect()]);
  try {
    const calls: string[] = [];
    const store = {
      begin: () => void calls.push('begin'),
      release: () => void calls.push('release'),
      copyTo: async () => {},
      close: () => {},
    };
    // A writer commits after the store's snapshot was begun and before the comparison.
    const late = Object.create(witness) as Client; // a client, but for this one method
    late.query = (async (text: string) => {
      if (calls.length === 1) await witness.query('update event_counter set seq = 41');
      return witness.query(text);
    }) as unknown as Client['query'];
    await chooseMoment(reader, late, store);
    expect(calls.slice(0, 3)).toEqual(['begin', 'release', 'begin']);
    expect(calls.at(-1)).toBe('begin');
    const { rows: seen } = await reader.query('select seq from event_counter');
    expect(seen).toEqual([{ seq: '41' }]);
    await expect(reader.query('update event_counter set seq = 42')).rejects.toThrow(/read-only/);
  } finally {
    await Promise.all([reader.end(), witness.end()]);
    await drop();
  }
});
