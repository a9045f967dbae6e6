import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { procEntry } from '../../drivers/processes/proc.ts';
import { until } from '../support/client.ts';
import { installFlashers } from '../support/flashers.ts';
import { createHosts, type TestHost } from '../support/host.ts';
import { program } from '../support/programs.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';
import { type Answer, createDeviceRig, isOver } from './device-jobs-rig.ts';

let world: World;
let user: TestUser;
let rig: ReturnType<typeof createDeviceRig>;
let hosts: ReturnType<typeof createHosts>;
let host: TestHost;
let flashers: ReturnType<typeof installFlashers>;
let PATH: string;

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator');
  rig = createDeviceRig(world, () => user);
  hosts = createHosts({ url: world.url, api: world.api, token: world.admin.token });
  flashers = installFlashers(hosts.newFolder());
  PATH = `${flashers.folder}:${process.env.PATH}`;
  host = await hosts.join('bench', { env: { PATH } });
});
afterAll(async () => {
  await rig.close();
  await hosts.close();
  await world.close();
});

const avrdude = { flasher: 'avrdude', part: 'atmega2560', programmer: 'wiring' };
const printerWith = async (firmware: object = avrdude) => {
  const printer = await rig.simulate('marlin', '--pty');
  const configuration = { protocol: 'marlin', firmware };
  return { printer, device: await rig.connected(printer.address, configuration, { host: 'bench' }) };
};
const look = async (device: string): Promise<Answer> =>
  (await rig.ask('GET', `/api/myntrix/devices/${device}`)).body;
const isConnected = ({ status }: Answer) => status === 'connected';
const startsOf = (programName: string) =>
  flashers.starts().filter(({ program: one }) => one === programName).length;
/** Or waits for whoever inherited it to notice. */
const isGone = (pid: number) => (procEntry(pid)?.state ?? 'Z') === 'Z';

describe('Firmware', () => {
  const kinds: [string, object, RegExp][] = [
    [
      'avrdude',
      { ...avrdude, baud: 115_200 },
      /^-p atmega2560 -c wiring -P \/dev\/\S+ -b 115200 -D -U flash:w:\/\S+\/file:a$/,
    ],
    [
      'esptool',
      { flasher: 'esptool', chip: 'esp32', address: '0x10000', flashMode: 'dio', eraseAll: true },
      /^--chip esp32 --port \/dev\/\S+ write_flash --flash_mode dio --erase-all 0x10000 \/\S+\/file$/,
    ],
    [
      'dfu-util',
      { flasher: 'dfu-util', device: '0483:df11', address: '0x08000000', leave: true },
      /^-d 0483:df11 -a 0 -s 0x08000000:leave -D \/\S+\/file$/,
    ],
  ];
  const said: Record<string, [done: RegExp, failed: RegExp, code: number]> = {
    avrdude: [/bytes of flash verified/, /timeout communicating with programmer/, 1],
    esptool: [/Wrote 14 bytes at 0x00010000/, /A fatal error occurred: Failed to connect to ESP32/, 2],
    'dfu-util': [/File downloaded successfully/, /No DFU capable USB device available/, 74],
  };

  test.each(kinds)(
    'is written by %s: what it says is the log, its code decides, and the version is asked before and after',
    async (name, firmware, argv) => {
      const { printer, device } = await printerWith(firmware);
      const [done, failed, code] = said[name] ?? [/./, /./, 0];
      const id = await rig.sent(device, 'version 2.1.3\n', { name: 'new.bin' });
      const job = await rig.untilJob(id, isOver);
      // By USB nobody tells the printer.
      const after = name === 'dfu-util' ? '2.1.2.4' : '2.1.3';
      const version = {
        before: { name: 'Marlin', version: '2.1.2.4' },
        after: { name: 'Marlin', version: after },
      };
      expect(job).toMatchObject({
        type: 'firmware',
        status: 'completed',
        progress: 100,
        details: { kind: 'firmware', work: 'firmware', result: { flasher: name, version } },
      });
      expect(job.logs).toMatch(done);
      const mine = flashers.starts().filter(({ program: one }) => one === name);
      expect(mine.map(({ argv: words }) => words.join(' '))).toEqual([expect.stringMatching(argv)]);
      expect(await look(device)).toMatchObject({ status: 'connected', firmwareVersion: after });
      const { executed } = await printer.tell({});
      expect(executed.filter((line) => line.startsWith('M997'))).toEqual(
        name === 'dfu-util' ? [] : ['M997 2.1.3'],
      );

      const bad = await rig.untilJob(await rig.sent(device, 'fail', { name: 'bad.bin' }), isOver);
      expect(bad).toMatchObject({
        status: 'failed',
        details: { reason: `${name} ended with code ${code}; its output says why`, acknowledged_bytes: 0 },
      });
      expect(bad.logs).toMatch(failed);
      await until(() => look(device), isConnected, 60_000); // the port is the session's again
    },
  );

  test('is refused while a job is under way, and nothing of it reaches the device', async () => {
    const { printer, device } = await printerWith();
    await printer.tell({ motionMs: 100 });
    const print = await rig.sent(device, program(2_000), { run: true });
    await rig.untilJob(print, ({ details }) => details.acknowledged_line > 0);
    const before = startsOf('avrdude');
    const refused = await rig.send(device, 'version 9', { name: 'new.hex' });
    expect([refused.status, refused.body.code]).toEqual([409, 'conflict']);
    expect(refused.body.detail).toMatch(new RegExp(`busy with job ${print}`));
    await expectStatus(202, rig.ask('POST', `/api/myntrix/jobs/${print}/cancel`));
    await rig.untilJob(print, isOver);
    expect(startsOf('avrdude')).toBe(before);
    expect((await printer.tell({})).executed.join()).not.toContain('M997');
  });

  test('that hangs is ended when its time is over, or when somebody cancels it, with all of its processes', async () => {
    // Time enough to begin, on a machine that has much else to do; meanwhile another one is cancelled.
    const [{ device: slow }, { device }] = await Promise.all([
      printerWith({ ...avrdude, timeoutSeconds: 15 }),
      printerWith(),
    ]);
    const before = flashers.starts().length;
    const lateId = await rig.sent(slow, 'hang', { name: 'a.hex' });
    const flasher = { ...avrdude, timeoutSeconds: 600 };
    const id = await rig.sent(device, 'hang', { name: 'b.hex', options: { flasher } });
    await rig.untilJob(id, ({ logs }) => logs.includes('Writing'));
    expect((await look(device)).statusReason).toMatch(/^The port is with firmware b\.hex/);
    expect((await rig.ask('POST', `/api/myntrix/jobs/${id}/pause`)).status).toBe(409);
    await expectStatus(202, rig.ask('POST', `/api/myntrix/jobs/${id}/cancel`));
    expect(await rig.untilJob(id, isOver)).toMatchObject({
      status: 'cancelled',
      details: { reason: expect.stringMatching(/what firmware the device has now is unknown/) },
    });
    const late = await rig.untilJob(lateId, isOver);
    expect(late).toMatchObject({
      status: 'failed',
      details: {
        reason:
          'avrdude was not done within 15 s, and was ended: what firmware the device has now is unknown',
      },
    });
    expect(late.logs).toContain('Writing |####');
    const pids = flashers.starts().slice(before);
    expect(pids.map(({ pid }) => isGone(pid))).toEqual([true, true]);
    await until(() => look(device), isConnected, 60_000);
  });

  test('is written to a device that is disconnected, and who connects to it meanwhile waits for the port', async () => {
    const { printer, device } = await printerWith({ ...avrdude, timeoutSeconds: 600 });
    const path = `/api/myntrix/devices/${device}`;
    await expectStatus(202, rig.ask('POST', `${path}/disconnect?wait=60`));
    const id = await rig.sent(device, 'version 2.1.5', { name: 'new.hex' });
    expect(await rig.untilJob(id, isOver)).toMatchObject({
      status: 'completed',
      details: { result: { version: { before: null, after: null } } },
    });
    expect((await printer.tell({})).executed).toContain('M997 2.1.5');
    const hanging = await rig.sent(device, 'hang', { name: 'hang.hex' });
    await rig.untilJob(hanging, ({ logs }) => logs.includes('Writing'));
    await printer.tell({ clear: true });
    await expectStatus(202, rig.ask('POST', `${path}/connect`));
    await until(
      () => look(device),
      ({ status }) => status === 'connecting',
      60_000,
    );
    await expectStatus(202, rig.ask('POST', `/api/myntrix/jobs/${hanging}/cancel`));
    await rig.untilJob(hanging, isOver);
    expect(await until(() => look(device), isConnected, 60_000)).toMatchObject({ firmwareVersion: '2.1.5' });
  });

  test('of a device that does not answer is written once it is disconnected, and says so before', async () => {
    const printer = await rig.simulate('marlin', '--pty');
    const wrong = { protocol: 'grbl', connectTimeoutMs: 500, firmware: avrdude };
    const body = { name: 'dead', connectionString: printer.address, configuration: wrong, host: 'bench' };
    const { id: device } = await expectStatus(201, rig.ask('POST', '/api/myntrix/devices', body));
    const path = `/api/myntrix/devices/${device}`;
    await expectStatus(202, rig.ask('POST', `${path}/connect`));
    await until(
      () => look(device),
      ({ status }) => status === 'error',
      60_000,
    );
    const early = await rig.sent(device, 'version 2.1.6', { name: 'a.hex' });
    expect(await rig.untilJob(early, isOver)).toMatchObject({
      status: 'failed',
      details: { reason: expect.stringMatching(/is not connected\. .*disconnect it first/) },
    });
    expect((await printer.tell({})).executed.join()).not.toContain('M997');
    await expectStatus(202, rig.ask('POST', `${path}/disconnect?wait=60`));
    const id = await rig.sent(device, 'version 2.1.6', { name: 'a.hex' });
    expect((await rig.untilJob(id, isOver)).status).toBe('completed');
    expect((await printer.tell({})).executed).toContain('M997 2.1.6');
  });

  test('without its program says what the host needs, and without a port what the flasher needs', async () => {
    const bare = await hosts.join('bare');
    const printer = await rig.simulate('marlin', '--pty');
    const device = await rig.connected(
      printer.address,
      { protocol: 'marlin', firmware: avrdude },
      { host: 'bare' },
    );
    expect(await rig.untilJob(await rig.sent(device, 'version 9', { name: 'a.hex' }), isOver)).toMatchObject({
      status: 'failed',
      details: { reason: 'avrdude did not start: this host has no avrdude: install it there' },
    });
    const socket = await rig.simulate('marlin', '--tcp', '0');
    const other = await rig.connected(
      socket.address,
      { protocol: 'marlin', firmware: avrdude },
      { host: 'bench' },
    );
    expect(await rig.untilJob(await rig.sent(other, 'version 9', { name: 'a.hex' }), isOver)).toMatchObject({
      status: 'failed',
      details: { reason: expect.stringMatching(/writes by a serial port, and the device has none/) },
    });
    bare.signal('SIGKILL');
    await bare.ended;
  });

  test('whose host is killed while it is written is unknown, is not written again, and leaves no process', async () => {
    const { printer, device } = await printerWith({ ...avrdude, timeoutSeconds: 600 });
    const before = startsOf('avrdude');
    const id = await rig.sent(device, 'hang', { name: 'new.hex' });
    await rig.untilJob(id, ({ logs }) => logs.includes('Writing'));
    const flasher = flashers.starts().at(-1);
    host.signal('SIGKILL');
    await host.ended;
    const next = await rig.sent(device, 'M117 next\n', { run: true }); // waits for what is known
    host = hosts.start(['--name', 'bench'], host.dataDir, { PATH });
    expect(await rig.untilJob(id, isOver)).toMatchObject({
      status: 'failed',
      details: {
        reason: 'its host ended while it was written: what firmware the device has now is unknown',
      },
    });
    expect(isGone(flasher?.pid ?? 0)).toBe(true);
    expect((await rig.untilJob(next, isOver)).status).toBe('completed');
    expect(startsOf('avrdude')).toBe(before + 1);
    expect((await printer.tell({})).executed.join()).not.toContain('M997');
  });
});
