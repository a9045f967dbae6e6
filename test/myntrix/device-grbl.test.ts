import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/client.ts';
import { createHosts } from '../support/host.ts';
import { program, sha256, untilStill } from '../support/programs.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';
import { type Answer, createDeviceRig, isOver } from './device-jobs-rig.ts';

let world: World;
let user: TestUser;
let rig: ReturnType<typeof createDeviceRig>;
let hosts: ReturnType<typeof createHosts>;
beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator');
  rig = createDeviceRig(world, () => user);
  hosts = createHosts({ url: world.url, api: world.api, token: world.admin.token });
});
afterAll(async () => {
  await rig.close();
  await hosts.close();
  await world.close();
});

const steer = (id: string, how: string, body?: object) =>
  expectStatus(202, rig.ask('POST', `/api/myntrix/jobs/${id}/${how}`, body));
const give = async (device: string, command: string): Promise<Answer> =>
  expectStatus(200, rig.ask('POST', `/api/myntrix/devices/${device}/command`, { command }));
const isHeld = ({ status, details }: Answer) => status === 'waiting' && details.machine;
const motionsIn = (executed: string[]) => executed.filter((line) => line.startsWith('G1 '));
const lines = (text: string) => text.split('\n').filter(Boolean);
/** What a buffer of 128 bytes holds of such lines, and those that it has read already. */
const IN_BUFFER = 16;

describe('A program on a GRBL controller', () => {
  test('is done to its end: each line once, in order, with as many bytes under way as the buffer holds', async () => {
    const mill = await rig.simulate('grbl', '--pty');
    const device = await rig.connected(mill.address, { protocol: 'grbl' });
    await mill.tell({ clear: true });
    const motions = program(2_000);
    const file = `%\n(made by hand)\nN10 G21 G90\n${motions}M5 ; stop\n%\n`;
    const id = await rig.sent(device, file, { run: true, name: 'part.nc' });
    expect(await rig.untilJob(id, isOver)).toMatchObject({
      type: 'gcode',
      status: 'completed',
      progress: 100,
      details: { lines: 2_002, acknowledged_lines: 2_002, acknowledged_line: 2_004, last_line: 2_004 },
    });
    const did = await mill.tell({});
    expect(did.sha256).toBe(sha256(`G21 G90\n${motions}`));
    expect(did.motions).toBe(2_001);
  });

  test('stands in the middle of a motion when it is paused, goes on, and forgets the rest when it is cancelled', async () => {
    const mill = await rig.simulate('grbl', '--tcp', '0', '--motion-ms', '25');
    const device = await rig.connected(mill.address, { protocol: 'grbl' });
    const text = program(5_000);
    const id = await rig.sent(device, text, { run: true });
    await rig.untilJob(id, ({ details }) => details.acknowledged_line > 20);
    await steer(id, 'pause');
    await rig.untilJob(id, ({ status }) => status === 'paused');
    const paused = await untilStill(() => mill.tell({}));
    expect(paused.executed.at(-1)).toBe('!');
    await steer(id, 'resume');
    const on = await rig.untilJob(
      id,
      ({ status, details }) => status === 'running' && details.acknowledged_line > paused.motions + 20,
    );
    expect(on.details.reason).toBeNull();
    await steer(id, 'pause');
    await rig.untilJob(id, ({ status }) => status === 'paused');
    await steer(id, 'cancel');
    expect(await rig.untilJob(id, isOver)).toMatchObject({
      status: 'cancelled',
      details: { reason: null, safe_sequence: { sent: true } },
    });
    const did = await mill.tell({});
    expect(did.executed.filter((line) => !/^[G$]/.test(line))).toEqual([
      '!',
      '~',
      '!',
      '!',
      '0x18',
      'M5',
      'M9',
    ]);
    // What it did is the beginning of the program, each line once.
    expect(motionsIn(did.executed)).toEqual(lines(text).slice(0, did.motions));
    // It stood when it was reset, so it knows where it is: no alarm, and nothing to unlock.
    expect(await give(device, 'G0 X0')).toMatchObject({ state: 'acknowledged' });
  });

  test('that is cancelled while it runs stands, and does the configured sequence only', async () => {
    const mill = await rig.simulate('grbl', '--tcp', '0', '--motion-ms', '25');
    const gcode = { cancelSequence: ['M5', 'G0 Z10'] };
    const device = await rig.connected(mill.address, { protocol: 'grbl', gcode });
    const text = program(5_000);
    const id = await rig.sent(device, text, { run: true });
    await rig.untilJob(id, ({ details }) => details.acknowledged_line > 20);
    await steer(id, 'cancel');
    expect((await rig.untilJob(id, isOver)).status).toBe('cancelled');
    const { executed } = await mill.tell({});
    expect(executed.slice(-4)).toEqual(['!', '0x18', 'M5', 'G0 Z10']);
    expect(motionsIn(executed)).toEqual(lines(text).slice(0, motionsIn(executed).length));
  });

  test('with a sequence for pauses does what it was sent first, and does not do a failed sequence again', async () => {
    const mill = await rig.simulate('grbl', '--tcp', '0', '--motion-ms', '25');
    const gcode = {
      pauseSequence: ['M5'],
      resumeSequence: ['M3 S1000'],
      cancelSequence: ['M9', 'G123', 'M5'],
    };
    const device = await rig.connected(mill.address, { protocol: 'grbl', gcode });
    const id = await rig.sent(device, program(5_000), { run: true });
    await rig.untilJob(id, ({ details }) => details.acknowledged_line > 20);
    await steer(id, 'pause');
    const paused = await rig.untilJob(id, ({ status }) => status === 'paused');
    const did = await mill.tell({});
    expect(did.executed.at(-1)).toBe('M5');
    expect(paused.details.acknowledged_line).toBe(did.motions);
    await steer(id, 'resume');
    await rig.untilJob(id, ({ details }) => details.acknowledged_line > did.motions + 20);
    await steer(id, 'cancel');
    expect(await rig.untilJob(id, isOver)).toMatchObject({
      status: 'cancelled',
      details: {
        safe_sequence: {
          sent: false,
          reason: expect.stringMatching(
            /^G123 of the safe sequence is failed: error:20: .*what comes after it was not sent$/,
          ),
        },
      },
    });
    const said = (await mill.tell({})).executed.filter((line) => line.startsWith('M'));
    expect(said).toEqual(['M5', 'M3 S1000', 'M9']);
  });

  test('waits at a line that the controller refuses, with the meaning of its number, and goes on where a person says', async () => {
    const mill = await rig.simulate('grbl', '--tcp', '0');
    const device = await rig.connected(mill.address, { protocol: 'grbl' });
    await mill.tell({ clear: true });
    const good = lines(program(300));
    const text = [...good.slice(0, 100), 'G33 X1', ...good.slice(100)].join('\n');
    const id = await rig.sent(device, text, { run: true });
    const held = await rig.untilJob(id, isHeld);
    expect(held.details).toMatchObject({
      reason: expect.stringMatching(/^line 101 \(G33 X1\): error:20: the command is not supported/),
      acknowledged_line: 100,
      machine: { position: { x: 99 } },
    });
    // What was in its buffer then is done all the same.
    const did = await untilStill(() => mill.tell({}));
    expect(did.motions).toBeGreaterThanOrEqual(100);
    expect(did.motions).toBeLessThan(100 + IN_BUFFER);
    await steer(id, 'decision', { action: 'resume', fromLine: did.motions + 2, restore: ['G90'] });
    expect(await rig.untilJob(id, isOver)).toMatchObject({ status: 'completed' });
    expect(motionsIn((await mill.tell({})).executed)).toEqual(good);
  });

  test('waits after an alarm, with its meaning; only a reset and a person bring it on', async () => {
    const mill = await rig.simulate('grbl', '--tcp', '0');
    const device = await rig.connected(mill.address, { protocol: 'grbl' });
    expect(await give(device, '$20=1')).toMatchObject({ state: 'acknowledged' });
    await mill.tell({ clear: true });
    const good = lines(program(150)); // within the travel of 200 mm
    const text = [...good.slice(0, 100), 'G1 X201 F3000', ...good.slice(100)].join('\n');
    const id = await rig.sent(device, text, { run: true });
    const held = await rig.untilJob(id, isHeld);
    expect(held.details).toMatchObject({
      reason: expect.stringMatching(/^ALARM:2: .*travel/i),
      acknowledged_line: 100,
    });
    const look = async () => (await rig.ask('GET', `/api/myntrix/devices/${device}`)).body;
    expect((await look()).statusReason).toMatch(/ALARM:2/);
    // Nothing of the buffer is done.
    expect(motionsIn((await mill.tell({})).executed)).toEqual(good.slice(0, 100));
    await expectStatus(200, rig.ask('POST', `/api/myntrix/devices/${device}/emergency-stop`));
    await until(look, ({ status, emergencyNote }) => status === 'connected' && emergencyNote, 60_000);
    // Until it is unlocked it does nothing.
    await steer(id, 'decision', { action: 'resume', fromLine: 102 });
    const locked = await rig.untilJob(id, isHeld);
    expect(locked.details.reason).toMatch(/^line 102 .*error:9: /);
    await steer(id, 'decision', { action: 'resume', fromLine: 102, restore: ['$X', 'G90'] });
    expect(await rig.untilJob(id, isOver)).toMatchObject({ status: 'completed' });
    expect(motionsIn((await mill.tell({})).executed)).toEqual(good);
  });

  test.each([
    ['!', 'M0 stop!'],
    ['a character beyond ASCII', 'G1 X1 é'],
  ])('waits at a line with %s, which would act at once', async (_what, odd) => {
    const mill = await rig.simulate('grbl', '--tcp', '0');
    const device = await rig.connected(mill.address, { protocol: 'grbl' });
    await mill.tell({ clear: true });
    const id = await rig.sent(device, `G1 X1\n${odd}\nG1 X2\n`, { run: true });
    const held = await rig.untilJob(id, isHeld);
    expect(held.details).toMatchObject({
      reason: expect.stringMatching(/^line 2 .*would act at once$/),
      acknowledged_line: 1,
    });
    expect((await mill.tell({})).executed).toEqual(['G1 X1']);
    await steer(id, 'decision', { action: 'cancel' });
    await rig.untilJob(id, isOver);
  });

  test('whose host is killed waits, with what the controller acknowledged, until a person says where it goes on', async () => {
    const host = await hosts.join('mill');
    const mill = await rig.simulate('grbl', '--tcp', '0', '--motion-ms', '50');
    const device = await rig.connected(mill.address, { protocol: 'grbl' }, { host: 'mill' });
    const text = program(1_000);
    const id = await rig.sent(device, text, { run: true });
    await rig.untilJob(id, ({ details }) => details.acknowledged_line > 50);
    host.signal('SIGKILL');
    await host.ended;
    const did = await untilStill(() => mill.tell({}));
    expect(motionsIn(did.executed)).toEqual(lines(text).slice(0, did.motions));
    hosts.start(['--name', 'mill'], host.dataDir);
    const held = await rig.untilJob(id, isHeld);
    const at = held.details.acknowledged_line;
    expect(held.details).toMatchObject({
      reason: expect.stringContaining('its host ended in the middle of it'),
      machine: { position: { x: at - 1 } },
    });
    expect(did.motions).toBeGreaterThanOrEqual(at);
    expect(did.motions).toBeLessThanOrEqual(at + IN_BUFFER);
    await mill.tell({ motionMs: 0 }); // from the next one that is planned on
    // It was reset by the new connection, while it moved perhaps.
    await steer(id, 'decision', { action: 'resume', fromLine: did.motions + 1, restore: ['$X', 'G90'] });
    expect(await rig.untilJob(id, isOver)).toMatchObject({ status: 'completed', progress: 100 });
    expect(motionsIn((await mill.tell({})).executed)).toEqual(lines(text));
  });
});
