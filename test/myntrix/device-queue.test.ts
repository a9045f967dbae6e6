import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { deviceJobsWorkflowId } from '../../domain/names.ts';
import { until } from '../support/client.ts';
import { program, sha256, untilStill } from '../support/programs.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';
import { type Answer, createDeviceRig, isOver } from './device-jobs-rig.ts';

let world: World;
let user: TestUser;
let rig: ReturnType<typeof createDeviceRig>;
beforeAll(async () => {
  world = await enterWorld('temporal');
  user = await world.newUser('operator');
  rig = createDeviceRig(world, () => user);
});
afterAll(async () => {
  await rig.close();
  await world.close();
});

const named = (name: string) => ({ run: true, name: `${name}.gcode` });
const queueOf = (device: string) => `/api/myntrix/devices/${device}/jobs`;
const cancel = (id: string) => expectStatus(202, rig.ask('POST', `/api/myntrix/jobs/${id}/cancel`));

describe('The queue of a printer', () => {
  test('is done in its order, which can be changed until a job begins, and without those that are cancelled', async () => {
    const printer = await rig.simulate('marlin', '--tcp', '0', '--motion-ms', '100');
    const device = await rig.connected(printer.address, { protocol: 'marlin' });
    const first = await rig.sent(device, program(3_000), named('first'));
    const names = ['a', 'b', 'c', 'd', 'e'];
    const ids: Record<string, string> = {};
    for (const name of names) ids[name] = await rig.sent(device, `M117 ${name}\n`, named(name));
    const of = (text: string) => [...text].map((name) => ids[name]);
    const shown = async () => (await rig.ask('GET', queueOf(device))).body.map(({ id }: Answer) => id);
    await rig.untilJob(first, ({ details }) => details.acknowledged_line > 0);
    expect(await shown()).toEqual([first, ...of('abcde')]);
    // Those that are left out come after, in the order that they had.
    await expectStatus(200, rig.ask('PUT', queueOf(device), { order: of('ec') }));
    expect(await shown()).toEqual([first, ...of('ecabd')]);
    await cancel(ids.a ?? '');
    expect((await rig.job(ids.a ?? '')).status).toBe('cancelled');
    for (const order of [[first], of('a'), of('cc'), [], ['x'], [device]])
      expect((await rig.ask('PUT', queueOf(device), { order })).status).toBe(422);
    expect(await shown()).toEqual([first, ...of('ecbd')]);
    await cancel(first);
    await printer.tell({ motionMs: 0 });
    await rig.untilJob(ids.d ?? '', isOver);
    const said = (await printer.tell({})).executed.filter((line) => line.startsWith('M117'));
    expect(said).toEqual(['M117 e', 'M117 c', 'M117 b', 'M117 d']);
    expect(await shown()).toEqual([]);
  });

  test('goes on where it was when Temporal knows nothing of it any more, and decisions are heard', async () => {
    const printer = await rig.simulate('marlin', '--tcp', '0', '--motion-ms', '100');
    const device = await rig.connected(printer.address, { protocol: 'marlin' });
    const text = program(500);
    const id = await rig.sent(device, text, named('long'));
    const next = await rig.sent(device, 'M117 next\n', named('next'));
    await rig.untilJob(id, ({ details }) => details.acknowledged_line > 5);
    const end = () => world.temporal.workflow.getHandle(deviceJobsWorkflowId(device)).terminate('a test');
    await end();
    // The program goes on by itself, and whoever asks for it next follows the same one.
    const { details } = await rig.job(id);
    await rig.untilJob(id, (job) => job.details.acknowledged_line > details.acknowledged_line + 5);
    await printer.tell({ disconnect: true });
    await rig.untilJob(id, ({ status, details: seen }) => status === 'waiting' && seen.machine);
    await end();
    const did = await untilStill(() => printer.tell({ motionMs: 0 }));
    const decision = { action: 'resume', fromLine: did.motions + 1 };
    await expectStatus(202, rig.ask('POST', `/api/myntrix/jobs/${id}/decision`, decision));
    expect((await rig.untilJob(id, isOver)).status).toBe('completed');
    expect((await rig.untilJob(next, isOver)).status).toBe('completed');
    expect(await printer.tell({})).toMatchObject({ motions: 500, sha256: sha256(text) });
  });
});

describe('A device with jobs', () => {
  test('is not deleted in the middle of one; afterwards what waits is cancelled, and nothing more is sent', async () => {
    const printer = await rig.simulate('marlin', '--tcp', '0', '--motion-ms', '100');
    const device = await rig.connected(printer.address, { protocol: 'marlin' });
    const path = `/api/myntrix/devices/${device}`;
    const first = await rig.sent(device, program(3_000), named('first'));
    await rig.untilJob(first, ({ details }) => details.acknowledged_line > 0);
    const refused = await rig.ask('DELETE', path);
    expect([refused.status, refused.body.detail]).toEqual([
      409,
      expect.stringMatching(`is busy with job ${first} .*cancel it first`),
    ]);
    await cancel(first);
    expect(await rig.untilJob(first, isOver)).toMatchObject({
      status: 'cancelled',
      details: { safe_sequence: { sent: true } },
    });
    await expectStatus(202, rig.ask('POST', `${path}/disconnect?wait=60`));
    const second = await rig.sent(device, 'M117 second\n', named('second'));
    const third = await rig.sent(device, 'M117 third\n', named('third'));
    await rig.untilJob(second, ({ status }) => status === 'waiting');
    expect((await rig.ask('DELETE', path)).status).toBe(204);
    for (const id of [second, third]) {
      const { status } = await rig.untilJob(id, isOver);
      expect(status).toBe('cancelled');
    }
    expect((await rig.send(device, 'G28\n', named('late'))).status).toBe(404);
    const { executed } = await printer.tell({});
    expect(executed.filter((line) => /^M(104|140|117|84)/.test(line))).toEqual(['M104 S0', 'M140 S0', 'M84']);
    await until(
      async () => (await rig.ask('GET', queueOf(device))).status,
      (status) => status === 404,
      60_000,
    );
  });

  test('that is held and unreachable can be deleted: its job is cancelled, and says that nothing was sent', async () => {
    const printer = await rig.simulate('marlin', '--tcp', '0', '--motion-ms', '100');
    const device = await rig.connected(printer.address, { protocol: 'marlin' });
    const id = await rig.sent(device, program(3_000), named('first'));
    await rig.untilJob(id, ({ details }) => details.acknowledged_line > 0);
    await printer.stop();
    await rig.untilJob(id, ({ status, details }) => status === 'waiting' && details.machine);
    await until(
      () => rig.ask('DELETE', `/api/myntrix/devices/${device}`),
      ({ status }) => status === 204, // as soon as it is known that it is away
      60_000,
    );
    expect(await rig.untilJob(id, isOver)).toMatchObject({
      status: 'cancelled',
      details: { safe_sequence: { sent: false, reason: 'the device is not connected' } },
    });
  });

  test('whose connection is lost a moment before a job is cancelled is made safe once it is back', async () => {
    const printer = await rig.simulate('marlin', '--tcp', '0', '--motion-ms', '100');
    const device = await rig.connected(printer.address, {
      protocol: 'marlin',
      reconnect: { initialMs: 1_500, maxMs: 1_500 },
    });
    const id = await rig.sent(device, program(3_000), named('first'));
    await rig.untilJob(id, ({ details }) => details.acknowledged_line > 0);
    await printer.tell({ disconnect: true });
    await rig.untilJob(id, ({ status, details }) => status === 'waiting' && details.machine);
    await cancel(id);
    expect(await rig.untilJob(id, isOver)).toMatchObject({
      status: 'cancelled',
      details: { safe_sequence: { sent: true } },
    });
    await printer.tell({ motionMs: 0 });
    expect((await printer.tell({})).executed).toEqual(expect.arrayContaining(['M104 S0', 'M140 S0', 'M84']));
  });
});
