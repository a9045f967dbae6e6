// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/client.ts';
import { program, sha256, untilStill } from '../support/programs.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';
import { type Answer, createDeviceRig, isOver } from './device-jobs-rig.ts';

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

describe('A program that is uploaded', () => {
  test('is run as it is, whatever the line loses, and who watches sees how far it is', async () => {
    const printer = await rig.simulate(
      'marlin',
      '--pty',
      '--fault',
      'damage=0.02',
      '--fault',
      'lose-ok=0.005',
    );
    const device = await rig.connected(printer.address, { protocol: 'marlin' });
    const events = await world.watch(user, '/ws/events?topics=jobs');
    const motions = program(400);
    const file = `; made by a slicer\nM104 S200 (warm)\n\n${motions}M104 S0\n`;
    const { status, body } = await rig.send(device, file, { run: true, key: 'once' });
    expect(status).toBe(202);
    expect(body).toMatchObject({ size_bytes: file.length, sha256: sha256(file) });
    // The same again is the same job, and something else is refused.
    expect((await rig.send(device, file, { run: true, key: 'once' })).body).toEqual(body);
    expect((await rig.send(device, `${file}G28\n`, { run: true, key: 'once' })).status).toBe(422);
    const done = await rig.untilJob(body.job_id, isOver);
    expect(done).toMatchObject({
      type: 'gcode',
      status: 'completed',
      progress: 100,
      details: {
        device_id: device,
        file: 'part.gcode',
        lines: 402,
        acknowledged_line: 404,
        acknowledged_lines: 402,
        acknowledged_bytes: file.length,
        result: { lines: 402 },
      },
    });
    expect(await printer.tell({})).toMatchObject({ motions: 400, sha256: sha256(motions) });
    const told = await events.next(
      ({ event }: Answer) => event?.subject === body.job_id && event.type === 'dev.vareon.job.completed',
    );
    expect(told).toBeDefined();
  });

  test('waits for its turn, in an order that can be changed, is paused, goes on and is cancelled safely', async () => {
    const printer = await rig.simulate('marlin', '--pty', '--motion-ms', '20');
    const gcode = {
      pauseSequence: ['M117 paused', 'G91'],
      resumeSequence: ['G90', 'M117 resumed'],
      cancelSequence: ['M104 S0', 'M117 safe'],
    };
    const device = await rig.connected(printer.address, { protocol: 'marlin', gcode });
    const first = await rig.sent(device, program(5_000), { run: true });
    const second = await rig.sent(device, `M117 second\n${program(3)}`, { run: true });
    const third = await rig.sent(device, `M117 third\n${program(3)}`, { run: true });
    await rig.untilJob(first, ({ status, details }) => status === 'running' && details.acknowledged_line > 0);
    const queue = `/api/myntrix/devices/${device}/jobs`;
    expect((await rig.ask('PUT', queue, { order: [first] })).status).toBe(422); // it does not wait
    const ordered = await expectStatus(200, rig.ask('PUT', queue, { order: [third] }));
    expect(ordered.map(({ id }: Answer) => id)).toEqual([first, third, second]);
    const paused = `/api/myntrix/jobs/${first}`;
    expect((await rig.ask('POST', `${paused}/decision`, { action: 'resume', fromLine: 1 })).status).toBe(409);
    expect((await rig.ask('POST', `/api/myntrix/jobs/${second}/pause`)).status).toBe(409);
    await expectStatus(202, rig.ask('POST', `${paused}/pause`));
    const held = await rig.untilJob(first, ({ status }) => status === 'paused');
    const before = await printer.tell({});
    // All that it was sent is done, and nothing more comes; G91 is the pause’s own.
    expect(before.executed.slice(-2)).toEqual(['M117 paused', 'G91']);
    expect(before.motions - 1).toBe((await rig.job(first)).details.acknowledged_line);
    expect(held.progress).toBeLessThan(100);
    await expectStatus(202, rig.ask('POST', `${paused}/resume`));
    await rig.untilJob(
      first,
      ({ status, details }) => status === 'running' && details.acknowledged_line >= before.motions,
    );
    await expectStatus(202, rig.ask('POST', `${paused}/cancel`));
    const ended = await rig.untilJob(first, isOver);
    expect(ended.status).toBe('cancelled');
    await printer.tell({ motionMs: 0 });
    await rig.untilJob(second, isOver);
    const { executed } = await printer.tell({});
    const said = executed.filter((line) => line.startsWith('M117') || line === 'M104 S0');
    expect(said).toEqual([
      'M117 paused',
      'M117 resumed',
      'M104 S0',
      'M117 safe',
      'M117 third',
      'M117 second',
    ]);
    const done = executed.filter((line) => line.startsWith('G1 '));
    expect(done.slice(0, ended.details.acknowledged_line).join('\n')).toBe(
      program(5_000).split('\n').slice(0, ended.details.acknowledged_line).join('\n'),
    );
    expect((await rig.ask('GET', queue)).body).toEqual([]);
  });

  test('is held where it was when the connection is lost, and a person says how it goes on', async () => {
    const printer = await rig.simulate('marlin', '--tcp', '0', '--motion-ms', '50');
    const device = await rig.connected(printer.address, { protocol: 'marlin' });
    const text = program(600);
    const id = await rig.sent(device, text, { run: true });
    await rig.untilJob(id, ({ details }) => details.acknowledged_line > 20);
    await printer.tell({ disconnect: true });
    const held = await rig.untilJob(id, ({ status }) => status === 'waiting');
    const at = held.details.acknowledged_line;
    expect(held.details).toMatchObject({
      reason: expect.stringMatching(/^line \d+ /),
      machine: { position: { x: at - 1 }, feed_rate: 3000, absolute: true },
    });
    expect((await rig.ask('POST', `/api/myntrix/jobs/${id}/pause`)).status).toBe(409);
    expect((await rig.ask('POST', `/api/myntrix/jobs/${id}/decision`, { action: 'resume' })).status).toBe(
      422,
    );
    const did = await untilStill(() => printer.tell({ motionMs: 0 }));
    // What was sent and not acknowledged may have been done: at most what a printer buffers.
    expect(did.motions).toBeGreaterThanOrEqual(at);
    expect(did.motions).toBeLessThanOrEqual(at + 4);
    await expectStatus(
      202,
      rig.ask('POST', `/api/myntrix/jobs/${id}/decision`, {
        action: 'resume',
        fromLine: did.motions + 1,
        restore: ['M117 restored', 'M104 S200'],
      }),
    );
    const done = await rig.untilJob(id, isOver);
    expect(done).toMatchObject({ status: 'completed', details: { acknowledged_line: 600, reason: null } });
    const after = await printer.tell({});
    expect(after).toMatchObject({ motions: 600, sha256: sha256(text) });
    expect(after.executed).toContain('M117 restored');
  });

  test('that is held is cancelled with its safe sequence once the device is there', async () => {
    const printer = await rig.simulate('marlin', '--tcp', '0', '--motion-ms', '50');
    const device = await rig.connected(printer.address, { protocol: 'marlin' });
    const id = await rig.sent(device, program(600), { run: true });
    await rig.untilJob(id, ({ details }) => details.acknowledged_line > 5);
    const look = async () => (await rig.ask('GET', `/api/myntrix/devices/${device}`)).body;
    const { statusSince } = await look();
    await printer.tell({ disconnect: true });
    await rig.untilJob(id, ({ status }) => status === 'waiting');
    await until(look, (now) => now.status === 'connected' && now.statusSince > statusSince, 60_000);
    await expectStatus(202, rig.ask('POST', `/api/myntrix/jobs/${id}/decision`, { action: 'cancel' }));
    const ended = await rig.untilJob(id, isOver);
    expect(ended).toMatchObject({ status: 'cancelled', details: { safe_sequence: { sent: true } } });
    expect((await printer.tell({})).executed).toEqual(expect.arrayContaining(['M104 S0', 'M140 S0', 'M84']));
  });

  test('is stored on the card, by a name that the card takes', async () => {
    const printer = await rig.simulate('marlin', '--pty');
    const device = await rig.connected(printer.address, { protocol: 'marlin' });
    const id = await rig.sent(device, program(120), { name: 'A long name.gcode' });
    const done = await rig.untilJob(id, isOver);
    expect(done).toMatchObject({
      type: 'device_upload',
      status: 'completed',
      details: { result: { name: 'ALONGNAM.GCO', lines: 120 } },
    });
    const listed = await expectStatus(
      200,
      rig.ask('POST', `/api/myntrix/devices/${device}/command`, { command: 'M20' }),
    );
    expect(listed.response).toContain(`ALONGNAM.GCO ${program(120).length}`);
  });
});

describe('A step', () => {
  test('runs G-code and waits for its end, stores a program, and ends what it began when its run is cancelled', async () => {
    const printer = await rig.simulate('marlin', '--pty');
    const device = await rig.connected(printer.address, { protocol: 'marlin' });
    const run = await world.run(user, [
      { print: { call: 'device.run_gcode', with: { device, gcode: program(20), name: 'ring.gcode' } } },
      { again: { call: 'device.run_gcode', with: { device, upload: '${ .upload_id }' } } },
      { keep: { call: 'device.upload', with: { device, name: 'ring.gcode', content: program(20) } } },
    ]);
    expect(run).toMatchObject({
      status: 'completed',
      output: { device_id: device, result: { name: 'RING.GCO', lines: 20 } },
    });
    // Once by each step, and once more into a file, which is no motion but is a line.
    const { executed } = await printer.tell({ motionMs: 100, clear: true });
    expect(executed).toHaveLength(0);
    const refused = await world.run(user, [
      { print: { call: 'device.run_gcode', with: { device, gcode: 'G1 X1\n\u0018' } } },
    ]);
    expect(refused).toMatchObject({ status: 'failed', error: { detail: expect.stringContaining('line 2') } });
    const id = await world.newWorkflow(user, [
      { print: { call: 'device.run_gcode', with: { device, gcode: program(3_000) } } },
    ]);
    const { run_id } = await expectStatus(
      202,
      world.api('POST', `/api/neosyntis/workflows/${id}/trigger`, { token: user.token, body: {} }),
    );
    const [queued] = await until(
      async () => (await rig.ask('GET', `/api/myntrix/devices/${device}/jobs`)).body,
      ([job]) => job?.details.acknowledged_line > 0,
      60_000,
    );
    await expectStatus(202, rig.ask('POST', `/api/neosyntis/runs/${run_id}/cancel`));
    await world.untilRun(user, run_id, ({ status }) => status === 'cancelled');
    expect((await rig.untilJob(queued.id, isOver)).status).toBe('cancelled');
    await printer.tell({ motionMs: 0 });
  });
});
