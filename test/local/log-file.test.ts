import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { openLogFile } from '../../local/child/log-file.ts';
import { temporaryFolder } from './tools.ts';

test('a log keeps one old file and never takes more than twice its limit', () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'api.log');
  const log = openLogFile(path, 1_000);
  for (let line = 0; line < 100; line++) log.write(`${String(line).padStart(98, '.')}\n`);
  log.close();
  expect(statSync(path).size + statSync(`${path}.1`).size).toBeLessThanOrEqual(2_000);
  expect(readFileSync(path, 'utf8')).toMatch(/\.99\n$/);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('a log goes on where the last start left it', () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'api.log');
  for (const text of ['one\n', 'two\n']) {
    const log = openLogFile(path);
    log.write(text);
    log.close();
  }
  expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n');
});
