import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { freePort } from '../../local/ports.ts';
import { npmStart } from './npm-start.ts';
import { temporaryFolder } from './tools.ts';

test('settings that contradict each other are all named', async () => {
  using folder = temporaryFolder();
  const { code, output } = await npmStart({
    VAREON_DATA_DIR: folder.path,
    VAREON_PORT: '8233',
    TEMPORAL_UI_PORT: '8233',
    VAREON_TLS_CERT: '/tmp/cert.pem',
    LOG_LEVEL: 'loud',
  });
  expect(code).toBe(1);
  expect(output).toContain('VAREON_PORT and TEMPORAL_UI_PORT are both 8233');
  expect(output).toContain('VAREON_TLS_CERT and VAREON_TLS_KEY belong together');
  expect(output).toContain('LOG_LEVEL');
  expect(output).not.toContain('    at ');
});

test('a port that is taken is named with its setting, its holder and what to do', async () => {
  using folder = temporaryFolder();
  const server = createServer();
  const port = await freePort();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const { code, output } = await npmStart({ VAREON_DATA_DIR: folder.path, VAREON_PORT: String(port) });
  server.close();
  expect(code).toBe(1);
  expect(output).toContain(`Port ${port} (VAREON_PORT) is taken`);
  expect(output).toContain(`(process ${process.pid})`);
  expect(output).toContain(`VAREON_PORT=${port + 1} npm start`);
  expect(existsSync(join(folder.path, 'postgres'))).toBe(false);
});

test('an address that this machine does not have is named', async () => {
  using folder = temporaryFolder();
  const { code, output } = await npmStart({ VAREON_DATA_DIR: folder.path, VAREON_BIND: '192.0.2.1' });
  expect(code).toBe(1);
  expect(output).toContain('VAREON_BIND=192.0.2.1 is not an address of this machine');
});

test('servers of others that do not answer are named, and not started', async () => {
  using folder = temporaryFolder();
  const { code, output } = await npmStart({
    VAREON_DATA_DIR: folder.path,
    VAREON_PORT: String(await freePort()),
    DATABASE_URL: 'postgres://nobody:secret@127.0.0.1:1/none',
    TEMPORAL_ADDRESS: '127.0.0.1:2',
    VAREON_PAYLOAD_CODEC: 'off',
    BUS_URL: 'mqtt://127.0.0.1:3',
  });
  expect(code).toBe(1);
  expect(output).toContain('DATABASE_URL: nothing answers at 127.0.0.1:1 (ECONNREFUSED)');
  expect(output).toContain('TEMPORAL_ADDRESS: nothing answers at 127.0.0.1:2');
  expect(output).toContain('BUS_URL: nothing answers at 127.0.0.1:3');
  expect(output).not.toContain('secret');
  expect(existsSync(join(folder.path, 'postgres'))).toBe(false);
});

test('a part that cannot start ends the whole with one reason, and nothing runs on', async () => {
  using folder = temporaryFolder();
  const silent = createServer((socket) => socket.end());
  const port = await freePort();
  silent.listen(port, '127.0.0.1');
  await once(silent, 'listening');
  const { code, output } = await npmStart({
    VAREON_DATA_DIR: folder.path,
    VAREON_PORT: String(await freePort()),
    DATABASE_URL: `postgres://nobody:secret@127.0.0.1:${port}/none`,
    TEMPORAL_ADDRESS: `127.0.0.1:${port}`,
    VAREON_PAYLOAD_CODEC: 'off',
    BUS_URL: `mqtt://127.0.0.1:${port}`,
  });
  silent.close();
  expect(code).toBe(1);
  expect(output.match(/cannot start:/g)).toHaveLength(1);
  expect(output).toContain('API cannot start:');
  expect(output).not.toContain('secret');
  expect(readdirSync(join(folder.path, 'logs'))).toEqual(['api.log']);
  expect(existsSync(join(folder.path, 'state.json'))).toBe(false);
});
