import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/client.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';
import { createDeviceRig, isOver } from './device-jobs-rig.ts';

let world: World;
let user: TestUser;
let rig: ReturnType<typeof createDeviceRig>;
let idle: string;
beforeAll(async () => {
  world = await enterWorld('sql');
  user = await world.newUser('operator');
  rig = createDeviceRig(world, () => user);
  const body = { name: 'idle', connectionString: 'mock://idle' };
  idle = (await expectStatus(201, rig.ask('POST', '/api/myntrix/devices', body))).id;
});
afterAll(async () => {
  await rig.close();
  await world.close();
});

const checksum = (line: string) => [...line].reduce((sum, one) => sum ^ one.charCodeAt(0), 0);
const summed = (line: string) => `${line}*${checksum(line)}`;

describe('G-code that cannot be sent is refused with its line, and nothing of it is kept', () => {
  test.each<[string, string | Uint8Array<ArrayBuffer>, RegExp]>([
    ['an empty file', '', /no line that could be sent/],
    ['nothing but comments and blanks', '; a\n(b)\n \t\n%\n', /no line that could be sent/],
    ['an emergency stop in the middle', 'G28\nM112\nG1 X1\n', /line 2 .*M112 is an emergency stop/],
    ['an emergency stop in disguise', 'G28\nn7 m0112 ; now\n', /line 2 .*M112 is an emergency stop/],
    ['a file that it opens on the card', 'G28\nM28 A.GCO\n', /line 2 .*M28 and M29 write files/],
    ['an end of the file that it is stored in', 'G28\nM29\nG1 X1\n', /line 2 .*M29 and M28 write files/],
    ['numbers that begin anew', 'N1 M110 N5*83\n', /line 1 .*checksum is 83/],
    ['a carriage return inside of a line', 'G28\rG1 X1\n', /line 1 .*0xd/],
    ['a NUL, as UTF-16 has them', 'G\0 2\0', /line 1 .*0x0/],
    ['an escape', 'G28\n\u001b[2J\n', /line 2 .*0x1b/],
    ['a line over 80 characters', `G28\nM117 ${'x'.repeat(80)}\n`, /line 2 .*85 characters/],
    ['a line without an end', `G28\n;${'x'.repeat(5_000)}`, /line 2 .*longer than 4096/],
    ['a wrong checksum', `${summed('N1 G28')}\nN2 G1 X5*99\n`, /line 2 .*checksum is 99, and \d+ would be/],
  ])('%s', async (_what, content, message) => {
    const before = await world.sql('select id from device_uploads where device_id = ?', [idle]);
    const { status, body } = await rig.send(idle, content, { run: true });
    expect([status, body.code]).toEqual([422, 'invalid']);
    expect(body.detail).toMatch(message);
    expect(await world.sql('select id from device_uploads where device_id = ?', [idle])).toEqual(before);
  });

  test('an empty file is no firmware', async () => {
    const options = { flasher: { flasher: 'dfu-util' } };
    const { status, body } = await rig.send(idle, '', { name: 'new.hex', options });
    expect([status, body.detail]).toEqual([422, 'new.hex is empty.']);
  });
});

test('G-code is sent without what is not the device’s: comments, line ends, numbers, checksums, marks', async () => {
  const printer = await rig.simulate('marlin', '--tcp', '0');
  const device = await rig.connected(printer.address, { protocol: 'marlin' });
  await printer.tell({ clear: true });
  const text = [
    '\ufeff; CR and LF, a byte order mark, text that is no ASCII: größer',
    '%',
    summed('N1 G28 X'),
    `${summed('N2 G1 X1 Y2')} ; with a comment behind`,
    'N30 G1 X3',
    'N40',
    '  (in) G1 X4 (the middle) F1200  ',
    'M117 größer',
    'G1 X5 ; the last one has no end',
  ].join('\r\n');
  const file = Buffer.concat([Buffer.from(text), Buffer.from([0x20, 0x3b, 0xff, 0xfe])]);
  const id = await rig.sent(device, new Uint8Array(file), { run: true });
  const done = await rig.untilJob(id, isOver);
  expect(done).toMatchObject({
    status: 'completed',
    details: { lines: 6, last_line: 9, acknowledged_line: 9, acknowledged_bytes: file.length },
  });
  const { executed, motions } = await printer.tell({});
  expect(executed.filter((line) => /^[GM]1/.test(line) && line !== 'M105')).toEqual([
    'G1 X1 Y2',
    'G1 X3',
    'G1 X4  F1200',
    Buffer.from('M117 größer').toString('latin1'),
    'G1 X5',
  ]);
  expect(motions).toBe(5);
});

describe('A program that was interrupted', () => {
  async function held(lines = 400) {
    const printer = await rig.simulate('marlin', '--tcp', '0', '--motion-ms', '100');
    const device = await rig.connected(printer.address, { protocol: 'marlin' });
    const text = `; made by hand\n${Array.from({ length: lines }, (_, n) => `G1 X${n}\n`).join('')}; the end\n`;
    const id = await rig.sent(device, text, { run: true });
    await rig.untilJob(id, ({ details }) => details.acknowledged_line > 5);
    const look = async () => (await rig.ask('GET', `/api/myntrix/devices/${device}`)).body;
    const { statusSince } = await look();
    await printer.tell({ disconnect: true });
    await rig.untilJob(id, ({ status, details }) => status === 'waiting' && details.machine);
    await until(look, (now) => now.status === 'connected' && now.statusSince > statusSince, 60_000);
    await printer.tell({ motionMs: 0 });
    return { printer, device, id, decide: (body: object) => decided(id, body) };
  }
  const decided = (id: string, body: object) => rig.ask('POST', `/api/myntrix/jobs/${id}/decision`, body);

  test('goes on at a line that it has, after commands that are lines; all else is refused and changes nothing', async () => {
    const { printer, id, decide } = await held();
    const wrong: [object, RegExp][] = [
      [{ action: 'resume', fromLine: 402 }, /fromLine is 402, and the last line that can be sent is 401/],
      [{ action: 'resume', fromLine: 0 }, /fromLine/],
      [{ action: 'resume', fromLine: -1 }, /fromLine/],
      [{ action: 'resume', fromLine: 1.5 }, /fromLine/],
      [{ action: 'resume', fromLine: 9, restore: ['G28\nM112'] }, /restore/],
      [{ action: 'resume', fromLine: 9, restore: ['G28\r'] }, /restore/],
      [{ action: 'resume', fromLine: 9, restore: [''] }, /restore/],
      [{ action: 'resume', fromLine: 9, restore: ['G1\u0018'] }, /restore/],
      [{ action: 'resume', fromLine: 9, restore: 'G28' }, /restore/],
      [{ action: 'resume', fromLine: 9, restore: Array(101).fill('G28') }, /restore/],
      [{ action: 'go' }, /action|match/],
    ];
    for (const [body, message] of wrong) {
      const { status, text } = await decide(body);
      expect([status, text]).toEqual([422, expect.stringMatching(message)]);
    }
    expect(await rig.job(id)).toMatchObject({ status: 'waiting' });
    await printer.tell({ clear: true });
    // Of an upload that was not counted to its last line its host says the same.
    await world.sql(
      'update device_uploads set last_line = null where id = (select upload_id from device_jobs where id = ?)',
      [id],
    );
    await expectStatus(202, decide({ action: 'resume', fromLine: 402 }));
    const again = await rig.untilJob(id, ({ status, details }) => status === 'waiting' && details.machine);
    expect(again.details.reason).toBe('the file has nothing to send from line 402 on');
    await expectStatus(202, decide({ action: 'resume', fromLine: 401 }));
    expect((await rig.untilJob(id, isOver)).status).toBe('completed');
    expect((await printer.tell({})).executed.filter((line) => line.startsWith('G'))).toEqual(['G1 X399']);
  });

  test('waits again, with the rest unsent, when a command that restores is none that can be sent', async () => {
    const { printer, id, decide } = await held();
    await printer.tell({ clear: true });
    const restore = ['M117 first', 'M110 N0', 'M117 never'];
    await expectStatus(202, decide({ action: 'resume', fromLine: 9, restore }));
    const again = await rig.untilJob(id, ({ status, details }) => status === 'waiting' && details.machine);
    expect(again.details.reason).toMatch(/^before the program went on: M110 N0 is not sent: M110 numbers/);
    expect(again.details.acknowledged_line).toBe(8);
    const said = (await printer.tell({})).executed.filter((line) => /^(M117|G)/.test(line));
    expect(said).toEqual(['M117 first']);
    await expectStatus(202, decide({ action: 'cancel' }));
    await rig.untilJob(id, isOver);
  });

  test('hears one of two decisions; the other one is told that there is none to make', async () => {
    const { printer, id, decide } = await held();
    await printer.tell({ clear: true });
    const both = await Promise.all([
      decide({ action: 'resume', fromLine: 390, restore: ['M117 one'] }),
      decide({ action: 'resume', fromLine: 395, restore: ['M117 other'] }),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual([202, 409]);
    expect((await rig.untilJob(id, isOver)).status).toBe('completed');
    const { executed, motions } = await printer.tell({});
    const isFirst = both[0]?.status === 202;
    expect(executed.filter((line) => line.startsWith('M117'))).toEqual([isFirst ? 'M117 one' : 'M117 other']);
    expect(motions).toBe(isFirst ? 12 : 7);
    expect((await decide({ action: 'cancel' })).status).toBe(409);
  });

  test('is cancelled while it waits for a decision, by its safe sequence, and then nobody decides any more', async () => {
    const { printer, device, id, decide } = await held();
    const next = await rig.sent(device, 'M117 next\n', { run: true });
    await printer.tell({ clear: true });
    await expectStatus(202, rig.ask('POST', `/api/myntrix/jobs/${id}/cancel`));
    expect(await rig.untilJob(id, isOver)).toMatchObject({
      status: 'cancelled',
      details: { safe_sequence: { sent: true } },
    });
    expect((await decide({ action: 'resume', fromLine: 9 })).status).toBe(409);
    expect((await rig.untilJob(next, isOver)).status).toBe('completed');
    const said = (await printer.tell({})).executed.filter((line) => !line.startsWith('M105'));
    expect(said).toEqual(['M104 S0', 'M140 S0', 'M107', 'M84', 'M117 next']);
  });
});
