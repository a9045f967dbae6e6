import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createHosts, type TestHost } from '../support/host.ts';
import { program, sha256, untilStill } from '../support/programs.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';
import { createDeviceRig, isOver } from './device-jobs-rig.ts';

let world: World;
let user: TestUser;
let rig: ReturnType<typeof createDeviceRig>;
let hosts: ReturnType<typeof createHosts>;
let host: TestHost;

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator');
  rig = createDeviceRig(world, () => user);
  hosts = createHosts({ url: world.url, api: world.api, token: world.admin.token });
  host = await hosts.join('workshop');
});
afterAll(async () => {
  await rig.close();
  await hosts.close();
  await world.close();
});

describe('A device on a host', () => {
  test('whose host is killed in the middle of a program goes on where a person says, without a line lost or doubled', async () => {
    const printer = await rig.simulate('marlin', '--pty', '--motion-ms', '50');
    const device = await rig.connected(printer.address, { protocol: 'marlin' }, { host: 'workshop' });
    const text = program(700);
    const id = await rig.sent(device, text, { run: true });
    await rig.untilJob(id, ({ details }) => details.acknowledged_line > 30);
    host.signal('SIGKILL');
    await host.ended;
    const did = await untilStill(() => printer.tell({ motionMs: 0 }));
    host = hosts.start(['--name', 'workshop'], host.dataDir);
    const held = await rig.untilJob(
      id,
      ({ status, details }) => status === 'waiting' && details.machine !== undefined,
    );
    const at = held.details.acknowledged_line;
    expect(held.details.reason).toContain('its host ended in the middle of it');
    expect(held.details.machine).toMatchObject({ position: { x: at - 1 } });
    // To the line, but for what the device had and the host was not told of any more.
    expect(did.motions).toBeGreaterThanOrEqual(at);
    expect(did.motions).toBeLessThanOrEqual(at + 4);
    const decision = { action: 'resume', fromLine: did.motions + 1, restore: ['M117 again'] };
    await expectStatus(202, rig.ask('POST', `/api/myntrix/jobs/${id}/decision`, decision));
    const done = await rig.untilJob(id, isOver);
    expect(done).toMatchObject({
      status: 'completed',
      progress: 100,
      details: { resumed: { by: user.username } },
    });
    const after = await printer.tell({});
    expect(after).toMatchObject({ motions: 700, sha256: sha256(text) });
    expect(after.executed).toContain('M117 again');
  });
});
