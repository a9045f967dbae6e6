import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';
import { createDeviceRig, isOver } from './device-jobs-rig.ts';

let world: World;
let user: TestUser;
let rig: ReturnType<typeof createDeviceRig>;
beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator');
  rig = createDeviceRig(world, () => user);
});
afterAll(async () => {
  await rig.close();
  await world.close();
});

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Behind a broker, with numbered answers and without; and by lines of JSON over TCP. */
const kinds: [string, string[], object][] = [
  ['MQTT', ['mqtt'], { mqtt: { correlation: 'id' } }],
  ['MQTT without numbers', ['mqtt'], {}],
  ['TCP', ['json', '--tcp', '0'], { protocol: 'json-lines' }],
];

/** All at once: an answer that is lost is waited for. */
test('A file is on the device as it was uploaded, though an acknowledgement is lost and a chunk is damaged', async () => {
  await Promise.all(kinds.map(([, args, configuration]) => arrives(args, configuration)));
});

async function arrives(args: string[], configuration: object): Promise<void> {
  const oven = await rig.simulate(...args);
  const device = await rig.connected(oven.address, configuration);
  await oven.tell({ clear: true, once: { 'lose-ok': 2, damage: 5 } });
  const content = new Uint8Array(randomBytes(100_001));
  const id = await rig.sent(device, content, { name: 'font.dat', options: { chunkBytes: 4_000 } });
  const done = await rig.untilJob(id, isOver);
  expect(done).toMatchObject({
    type: 'device_upload',
    status: 'completed',
    progress: 100,
    details: { acknowledged_bytes: 100_001, result: { name: 'font.dat', bytes: 100_001 }, reason: null },
  });
  const { executed, received, faults } = await oven.tell({});
  expect(executed).toEqual([`stored font.dat 100001 ${sha256(content)}`]);
  expect(faults).toMatchObject({ 'lose-ok': 1, damage: 1 });
  // Upload, 26 chunks and finish; the one that was damaged, and the one whose answer was lost, twice.
  expect(received).toBe(28 + 2);
}

describe.each(kinds)('A file over %s', (_name, args, configuration) => {
  test('that the device does not want, or that stays damaged, is not there, and says why', async () => {
    const oven = await rig.simulate(...args);
    const device = await rig.connected(oven.address, configuration);
    const content = new Uint8Array(randomBytes(10_000));
    await oven.tell({ once: { refuse: 0 } });
    const refused = await rig.sent(device, content, { name: 'a.dat' });
    expect(await rig.untilJob(refused, isOver)).toMatchObject({
      status: 'failed',
      details: { reason: expect.stringMatching(/does not take a\.dat: failed: .*not now/) },
    });
    await oven.tell({ once: { refuse: 2 } });
    const stopped = await rig.sent(device, content, { name: 'b.dat' });
    expect(await rig.untilJob(stopped, isOver)).toMatchObject({
      status: 'failed',
      details: {
        reason: expect.stringMatching(/at byte 2048: failed: .*not now/),
        acknowledged_bytes: 2_048,
      },
    });
    await oven.tell({ rates: { damage: 1 } });
    const damaged = await rig.sent(device, content, { name: 'c.dat' });
    expect(await rig.untilJob(damaged, isOver)).toMatchObject({
      status: 'failed',
      details: { reason: expect.stringMatching(/stays at byte 0: failed: .*chunk is damaged/) },
    });
    await oven.tell({ rates: { damage: 0 } });
    const empty = await rig.sent(device, '', { name: 'empty.dat' });
    expect((await rig.untilJob(empty, isOver)).status).toBe('completed');
    expect((await oven.tell({})).executed).toEqual([`stored empty.dat 0 ${sha256(new Uint8Array())}`]);
  });

  test('that is cancelled, or whose connection is lost, ends there and does not go on by itself', async () => {
    const oven = await rig.simulate(...args);
    const device = await rig.connected(oven.address, configuration);
    await oven.tell({ rates: { slow: 1 } }); // so that there is a middle
    const content = new Uint8Array(randomBytes(200_000));
    const first = await rig.sent(device, content, { name: 'a.dat' });
    const second = await rig.sent(device, content, { name: 'b.dat' });
    await rig.untilJob(first, ({ details }) => details.acknowledged_bytes > 0);
    await expectStatus(202, rig.ask('POST', `/api/myntrix/jobs/${first}/cancel`));
    expect((await rig.untilJob(first, isOver)).status).toBe('cancelled');
    await rig.untilJob(second, ({ details }) => details.acknowledged_bytes > 0);
    await oven.tell({ disconnect: true });
    expect(await rig.untilJob(second, isOver)).toMatchObject({
      status: 'failed',
      details: { reason: expect.stringMatching(/connection|ended|closed|lost/) },
    });
    const { executed } = await oven.tell({});
    expect(executed).toEqual([expect.stringMatching(/^aborted a\.dat at \d+$/)]);
  });
});

test('A device that takes no files says which do', async () => {
  const printer = await rig.simulate('marlin', '--tcp', '0');
  const device = await rig.connected(printer.address, { protocol: 'marlin' });
  const id = await rig.sent(device, 'abc', { name: 'a.dat' });
  expect(await rig.untilJob(id, isOver)).toMatchObject({
    status: 'failed',
    details: { reason: 'a device that speaks marlin takes no files: json-lines and mqtt do' },
  });
});

test('A file goes on where the device is, though that said yes', async () => {
  const content = Buffer.alloc(40_000, 'some bytes \u0000\n');
  const got = { bytes: Buffer.alloc(0), chunks: 0, sha256: '' };
  const server = createServer((socket) => {
    const lines = createInterface({ input: socket });
    for (const each of [socket, lines]) each.on('error', () => {});
    lines.on('line', (line) => {
      const { upload, chunk, finish } = JSON.parse(line);
      const answer = (more: object) => socket.write(`${JSON.stringify({ ok: true, ...more })}\n`);
      if (upload) answer({ offset: 0 });
      if (chunk) {
        got.chunks += 1;
        // The fifth chunk did not fit: the device says so, and is sent it again.
        if (got.chunks !== 5)
          got.bytes = Buffer.concat([got.bytes.subarray(0, chunk.offset), Buffer.from(chunk.data, 'base64')]);
        answer({ offset: got.bytes.length });
      }
      if (finish) {
        got.sha256 = finish.sha256;
        answer({});
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const device = await rig.connected(`tcp://127.0.0.1:${port}`, { protocol: 'json-lines' });
    const id = await rig.sent(device, new Uint8Array(content), { name: 'font.dat' });
    const done = await rig.untilJob(id, isOver);
    expect(done).toMatchObject({
      type: 'device_upload',
      status: 'completed',
      details: { kind: 'file', acknowledged_bytes: 40_000, result: { name: 'font.dat', bytes: 40_000 } },
    });
    expect(got.chunks).toBe(21);
    expect(createHash('sha256').update(got.bytes).digest('hex')).toBe(got.sha256);
    await expectStatus(202, rig.ask('POST', `/api/myntrix/devices/${device}/disconnect?wait=60`));
  } finally {
    server.close();
  }
});
