import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { program, sha256 } from '../support/programs.ts';
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

const give = async (device: string, command: string): Promise<Answer> =>
  expectStatus(200, rig.ask('POST', `/api/myntrix/devices/${device}/command`, { command }));
const isBegun = ({ details }: Answer) => details.acknowledged_line > 0;

describe('A program that is stored on a card', () => {
  test('is there as it was uploaded, whatever the line loses, and nobody’s command gets into it', async () => {
    const faults = ['damage=0.02', 'lose=0.005', 'lose-ok=0.005'].flatMap((fault) => ['--fault', fault]);
    const printer = await rig.simulate('marlin', '--pty', ...faults);
    const device = await rig.connected(printer.address, { protocol: 'marlin' });
    await printer.tell({ clear: true, rates: { damage: 0.02, lose: 0.005, 'lose-ok': 0.005, slow: 0.02 } });
    const text = program(800);
    const id = await rig.sent(device, `; sliced\n${text}`, { options: { name: 'BIG.GCO' } });
    await rig.untilJob(id, isBegun);
    expect(await give(device, 'M117 hello')).toMatchObject({ state: 'failed', sentAt: null });
    expect(await rig.untilJob(id, isOver)).toMatchObject({
      status: 'completed',
      details: { work: 'store', result: { name: 'BIG.GCO', lines: 800 }, acknowledged_line: 801 },
    });
    await printer.tell({ rates: { damage: 0, lose: 0, 'lose-ok': 0, slow: 0 } });
    const { executed, sha256: did } = await printer.tell({});
    expect(did).toBe(sha256(text));
    const file = executed.slice(executed.indexOf('M28 BIG.GCO') + 1, executed.indexOf('M29'));
    expect(`${file.join('\n')}\n`).toBe(text);
    expect((await give(device, 'M20')).response).toContain(`BIG.GCO ${text.length}`);
  });

  test('and cancelled, or cut off, is not there, and is not begun again', async () => {
    const printer = await rig.simulate('marlin', '--tcp', '0');
    const device = await rig.connected(printer.address, { protocol: 'marlin' });
    await printer.tell({ clear: true, rates: { slow: 1 } });
    const first = await rig.sent(device, program(2_000), { options: { name: 'FIRST.GCO' } });
    const second = await rig.sent(device, program(2_000), { options: { name: 'SECOND.GCO' } });
    await rig.untilJob(first, isBegun);
    await expectStatus(202, rig.ask('POST', `/api/myntrix/jobs/${first}/cancel`));
    expect((await rig.untilJob(first, isOver)).status).toBe('cancelled');
    await rig.untilJob(second, isBegun);
    await printer.tell({ disconnect: true, rates: { slow: 0 } });
    expect(await rig.untilJob(second, isOver)).toMatchObject({
      status: 'failed',
      details: { reason: expect.stringMatching(/^SECOND\.GCO is not whole on the card/) },
    });
    const { executed } = await printer.tell({});
    expect(executed.filter((line) => /^M(28|29|30)/.test(line))).toEqual([
      'M28 FIRST.GCO',
      'M29',
      'M30 FIRST.GCO',
      'M28 SECOND.GCO',
    ]);
  });

  test('needs a card, and says what there is instead', async () => {
    const mill = await rig.simulate('grbl', '--tcp', '0');
    const oven = await rig.simulate('json', '--tcp', '0');
    const wanted: [string, string, RegExp][] = [
      [mill.address, 'grbl', /speaks grbl has no card: run the program instead \(run=true\)/],
      [oven.address, 'json-lines', /speaks json-lines has no card: send it as a file \(kind=file\)/],
    ];
    for (const [address, protocol, reason] of wanted) {
      const device = await rig.connected(address, { protocol });
      const done = await rig.untilJob(await rig.sent(device, 'G28\n'), isOver);
      expect(done).toMatchObject({ status: 'failed', details: { reason: expect.stringMatching(reason) } });
    }
  });
});
