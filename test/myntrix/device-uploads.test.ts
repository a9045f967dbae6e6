import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/client.ts';
import { openRaw } from '../support/raw.ts';
import { testStack } from '../support/stack.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';
import { createDeviceRig } from './device-jobs-rig.ts';

let world: World;
let user: TestUser;
let rig: ReturnType<typeof createDeviceRig>;
beforeAll(async () => {
  world = await enterWorld('sql');
  user = await world.newUser('operator');
  rig = createDeviceRig(world, () => user);
});
afterAll(async () => {
  await rig.close();
  await world.close();
});

/** Those of a folder that begin with a text. */
const filesWith = (folder: string, text: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((path) => beginningOf(path, text.length) === text);

function beginningOf(path: string, length: number): string {
  try {
    const fd = openSync(path, 'r');
    const bytes = Buffer.alloc(length);
    readSync(fd, bytes);
    closeSync(fd);
    return bytes.toString('latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''; // other tests put and remove
    throw error;
  }
}

describe('An upload', () => {
  let device: string;
  beforeAll(async () => {
    const { id } = await expectStatus(
      201,
      rig.ask('POST', '/api/myntrix/devices', { name: 'x', connectionString: 'mock://x' }),
    );
    device = id;
  });
  /** A line that only the upload over the cap has. */
  const MARK = 'G1 X77.123 Y1 F3000';
  const left = () => world.sql<{ id: string }>('select id from device_uploads where device_id = ?', [device]);

  test.each([
    ['control characters', 'G28\nG1 X1\u0018\n', {}, /line 2 of the G-code.*0x18/],
    ['a line too long', `G28\n${'G1 X1 '.repeat(20)}\n`, {}, /line 2 of the G-code.*119 characters/],
    ['no line at all', '; only words\n', {}, /no line that could be sent/],
    ['a run of what is no program', 'abc', { name: 'a.bin', run: true }, /for G-code/],
    ['firmware without a flasher', 'abc', { name: 'a.hex' }, /no flasher/],
    ['options that nobody knows', 'G28\n', { options: { colour: 'red' } }, /colour/],
    ['a name that leads elsewhere', 'G28\n', { options: { name: '../x' } }, /name/],
    ['a kind that is none', 'G28\n', { kind: 'poem' }, /kind/],
  ])('with %s is refused, and nothing of it is kept', async (_what, content, how, message) => {
    const { status, body } = await rig.send(device, content, how);
    expect([status, body.code]).toEqual([422, 'invalid']);
    expect(JSON.stringify(body)).toMatch(message);
    expect(await left()).toEqual([]);
  });

  test('over the cap is refused before it comes, and while it comes, and nothing is left behind', async () => {
    const begin = (length: string) =>
      `POST /api/myntrix/devices/${device}/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${user.token}\r\n` +
      `Content-Type: multipart/form-data; boundary=b\r\n${length}\r\n\r\n`;
    const part = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.gcode"\r\n\r\n';
    const early = await openRaw(world.url);
    early.socket.write(begin(`Content-Length: ${2 * 2 ** 30}`) + part);
    expect((await early.closed(60_000)).toString()).toMatch(/^HTTP\/1.1 413 .*larger than 4194304 bytes/s);
    // Who asks first is not told to send it.
    const polite = await openRaw(world.url);
    polite.socket.write(begin(`Content-Length: ${2 * 2 ** 30}\r\nExpect: 100-continue`));
    expect((await polite.closed(60_000)).toString()).toMatch(/^HTTP\/1.1 413 /);
    const taken = await openRaw(world.url);
    const rest = `${part}G28\r\n--b--\r\n`;
    taken.socket.write(begin(`Content-Length: ${rest.length}\r\nExpect: 100-continue\r\nConnection: close`));
    taken.socket.once('data', () => taken.socket.write(rest));
    expect((await taken.closed(60_000)).toString()).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 202 /);
    await world.sql('delete from jobs where id in (select id from device_jobs where device_id = ?)', [
      device,
    ]);
    await world.sql('delete from device_uploads where device_id = ?', [device]);
    const chunked = await openRaw(world.url);
    const piece = Buffer.from(`${MARK}\n`.repeat(50_000));
    chunked.socket.write(begin('Transfer-Encoding: chunked'));
    chunked.socket.write(`${part.length.toString(16)}\r\n${part}\r\n`);
    for (let sent = 0; sent < 6 && chunked.socket.writable; sent++) {
      chunked.socket.write(`${piece.length.toString(16)}\r\n`);
      chunked.socket.write(piece);
      chunked.socket.write('\r\n');
    }
    expect((await chunked.closed(60_000)).toString()).toMatch(/^HTTP\/1.1 413 /);
    // One that ends in the middle.
    const cut = await openRaw(world.url);
    cut.socket.write(`${begin('Content-Length: 5000')}${part}G28\n`);
    cut.socket.end();
    await cut.closed(60_000);
    await until(left, (rows) => rows.length === 0, 60_000);
    const onDisk = async () => filesWith(join(testStack().dataDir, 'blobs'), MARK);
    await until(onDisk, (names) => names.length === 0, 60_000);
  });

  test('has one file in a form, for a device that is there, from who may', async () => {
    const path = `/api/myntrix/devices/${device}/upload`;
    expect((await rig.ask('POST', path, {})).status).toBe(415);
    expect((await rig.send(device, undefined, { run: true })).status).toBe(422);
    expect((await rig.send('019a9b4c-5d6e-7f80-8a1b-2c3d4e5f6071', 'G28\n')).status).toBe(404);
    await until(left, (rows) => rows.length === 0, 60_000);
  });
});
