import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { lockFolder } from '../../local/lock.ts';
import { createStateFile } from '../../local/state.ts';
import { npmStart } from './npm-start.ts';
import { temporaryFolder } from './tools.ts';

const lockModule = fileURLToPath(new URL('../../local/lock.ts', import.meta.url));

test('a folder has one holder at a time', () => {
  using folder = temporaryFolder();
  const first = lockFolder(folder.path);
  expect(first).toBeDefined();
  expect(lockFolder(folder.path)).toBeUndefined();
  first?.release();
  const second = lockFolder(folder.path);
  expect(second).toBeDefined();
  second?.release();
});

test('the lock goes with a holder that is killed', async () => {
  using folder = temporaryFolder();
  const script = `
    import { lockFolder } from ${JSON.stringify(lockModule)};
    lockFolder(${JSON.stringify(folder.path)});
    console.log('locked');
    setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  expect(lockFolder(folder.path)).toBeUndefined();
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const lock = lockFolder(folder.path);
  expect(lock).toBeDefined();
  lock?.release();
});

test('a second npm start says that it runs already and where', async () => {
  using folder = temporaryFolder();
  const lock = lockFolder(folder.path);
  createStateFile(folder.path).ready({ API: 'http://127.0.0.1:4711' });
  const { code, output } = await npmStart({ VAREON_DATA_DIR: folder.path });
  lock?.release();
  expect(code).toBe(0);
  expect(output).toContain(`runs already in this folder (process ${process.pid})`);
  expect(output).toContain('http://127.0.0.1:4711');
  expect(output).not.toContain('ExperimentalWarning');
});
