import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createHosts, type TestHost } from '../support/host.ts';
import { program, sha256, untilStill } from '../support/programs.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';
import { type Answer, createDeviceRig } from './device-jobs-rig.ts';

let world: World;
let user: TestUser;
let rig: ReturnType<typeof createDeviceRig>;
let hosts: ReturnType<typeof createHosts>;
let host: TestHost;
let tools: string;

/** Speaks with the printer by the port that it is given, as avrdude does with a boot loader. */
const flasher = `#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in -P) port=$2;; -U) image=\${2#flash:w:};; esac
  shift
done
image=\${image%:a}
echo "writing $(wc -c < "$image") bytes by $port" >&2
exec 3<>"$port"
stty raw -echo <&3
printf 'M117 flashed\\n' >&3
while read -r line <&3; do
  case "$line" in ok*) echo "the boot loader says $line"; exit 0;; esac
done
exit 1
`;

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator');
  rig = createDeviceRig(world, () => user);
  hosts = createHosts({ url: world.url, api: world.api, token: world.admin.token });
  tools = hosts.newFolder();
  writeFileSync(join(tools, 'avrdude'), flasher);
  chmodSync(join(tools, 'avrdude'), 0o755);
  host = await hosts.join('workshop', { env: { PATH: `${tools}:${process.env.PATH}` } });
});
afterAll(async () => {
  await rig.close();
  await hosts.close();
  await world.close();
});

const isOver = ({ status }: Answer) => ['completed', 'failed', 'cancelled'].includes(status);

describe('A device on a host', () => {
  test('has its firmware written by a program there, and not while a job is under way', async () => {
    const printer = await rig.simulate('marlin', '--pty', '--motion-ms', '3');
    const firmware = { flasher: 'avrdude', part: 'atmega2560', programmer: 'wiring' };
    const device = await rig.connected(
      printer.address,
      { protocol: 'marlin', firmware },
      { host: 'workshop' },
    );
    const print = await rig.sent(device, program(2_000), { run: true });
    await rig.untilJob(print, ({ details }) => details.acknowledged_line > 0);
    const refused = await rig.send(device, 'firmware', { name: 'new.hex' });
    expect([refused.status, refused.body.code]).toEqual([409, 'conflict']);
    await expectStatus(202, rig.ask('POST', `/api/myntrix/jobs/${print}/cancel`));
    await rig.untilJob(print, isOver);
    const id = await rig.sent(device, 'firmware', { name: 'new.hex' });
    const done = await rig.untilJob(id, isOver);
    const version = { name: 'Marlin', version: '2.1.2.4' };
    expect(done).toMatchObject({
      type: 'firmware',
      status: 'completed',
      details: { result: { flasher: 'avrdude', version: { before: version, after: version } } },
    });
    expect(done.logs).toMatch(/writing 8 bytes by \/dev\/pts\/\d+/);
    expect(done.logs).toContain('the boot loader says ok');
    expect((await printer.tell({})).executed).toContain('M117 flashed');
    const none = await rig.sent(device, 'firmware', {
      name: 'new.bin',
      options: { flasher: { flasher: 'dfu-util' } },
    });
    expect(await rig.untilJob(none, isOver)).toMatchObject({
      status: 'failed',
      details: { reason: expect.stringContaining('no dfu-util') },
    });
  });

  test('whose host is killed in the middle of a program goes on where a person says, without a line lost or doubled', async () => {
    const printer = await rig.simulate('marlin', '--pty', '--motion-ms', '3');
    const device = await rig.connected(printer.address, { protocol: 'marlin' }, { host: 'workshop' });
    const text = program(700);
    const id = await rig.sent(device, text, { run: true });
    await rig.untilJob(id, ({ details }) => details.acknowledged_line > 30);
    host.signal('SIGKILL');
    await host.ended;
    const did = await untilStill(() => printer.tell({ motionMs: 0 }));
    host = hosts.start(['--name', 'workshop'], host.dataDir, { PATH: `${tools}:${process.env.PATH}` });
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
