// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type LineDevice, startLineDevice } from '../devices/line-device.ts';
import { keepSimulators } from '../simulators/kept.ts';
import { until } from '../support/client.ts';
import { devicesOf, eager } from '../support/devices.ts';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

/** Each shows by the bytes that the device received that nothing was sent that should not be, and nothing twice. */
let world: World;
let user: TestUser;
let devices: ReturnType<typeof devicesOf>;
const simulators = keepSimulators();
const opened: LineDevice[] = [];
beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator');
  devices = devicesOf(world, user);
});
afterAll(async () => {
  await simulators.stopAll();
  for (const one of opened) await one.close();
  await world.close();
});

async function lineDevice(answer: (said: string) => string | undefined, port = 0): Promise<LineDevice> {
  const device = await startLineDevice(false, answer, port);
  opened.push(device);
  return device;
}
const ok = () => 'OK';
const lines = { ...eager, protocol: 'lines' };

describe('A port', () => {
  test('that is missing is told as such, and the device is connected once it is there', async () => {
    const before = await startLineDevice(false, ok);
    await before.close();
    const { id } = await devices.make(before.address, lines);
    expect(await devices.connect(id)).toMatchObject({
      status: 'error',
      statusReason: expect.stringContaining('ECONNREFUSED'),
    });
    expect(await devices.command(id, 'EARLY')).toMatchObject({ state: 'failed', sentAt: null });
    const device = await lineDevice(ok, Number(before.address.split(':').at(-1)));
    await devices.untilDevice(id, ({ status }) => status === 'connected');
    expect(await devices.command(id, 'NOW')).toMatchObject({ state: 'acknowledged', response: 'OK' });
    expect([device.executed, device.connections]).toEqual([['NOW'], 1]);
    await devices.disconnect(id);
  });

  test('that vanishes with a command under way leaves it unknown, and it is not sent again', async () => {
    const socket = await lineDevice(ok);
    socket.pauseMs = 600_000;
    const pty = await simulators.start('grbl', '--pty');
    const [one, other] = await Promise.all([
      devices.make(socket.address, lines),
      devices.make(pty.address, { ...eager, protocol: 'grbl' }),
    ]);
    const [{ statusSince }] = await Promise.all([devices.connect(one.id), devices.connect(other.id)]);
    const given = devices.command(one.id, 'MOVE');
    await until(async () => socket.executed.length, Boolean, 60_000);
    socket.pauseMs = 0;
    socket.cut();
    expect(await given).toMatchObject({ state: 'unknown', answeredAt: null, sentAt: expect.any(String) });
    await until(
      async () => socket.connections,
      (count) => count === 2,
      60_000,
    );
    await devices.untilDevice(one.id, (now) => now.status === 'connected' && now.statusSince > statusSince);
    expect(await devices.command(one.id, 'ASK')).toMatchObject({ state: 'acknowledged' });
    expect(socket.executed).toEqual(['MOVE', 'ASK']);

    await pty.tell({ clear: true, once: { disconnect: 0 } });
    expect(await devices.command(other.id, 'G0 X5')).toMatchObject({ state: 'unknown', answeredAt: null });
    const gone = await devices.untilDevice(other.id, ({ status }) => status === 'error');
    expect(gone.statusReason).toContain('there is no port');
    expect(await devices.command(other.id, 'G0 X6')).toMatchObject({ state: 'failed', sentAt: null });
    const { executed } = await pty.tell({});
    expect(executed.filter((line) => line.startsWith('G0'))).toEqual(['G0 X5']);
    await Promise.all([devices.disconnect(one.id), devices.disconnect(other.id)]);
  });

  test('with something else at its end gets the questions of a connect, and nothing that moves it', async () => {
    const grbl = await simulators.start('grbl', '--tcp', '0');
    const { id } = await devices.make(grbl.address, {
      ...eager,
      protocol: 'marlin',
      connectTimeoutMs: 1_000,
      onConnect: ['G28'],
    });
    expect(await devices.connect(id)).toMatchObject({
      status: 'error',
      statusReason: expect.stringContaining('M115'),
    });
    expect(await devices.command(id, 'G0 X1')).toMatchObject({ state: 'failed', sentAt: null });
    const { last, motions } = await grbl.tell({});
    expect(last.length).toBeGreaterThan(0);
    expect(last.filter((line) => !/^N\d+ M11[05]( N0)?\*\d+$/.test(line))).toEqual([]);
    expect(motions).toBe(0);
    await devices.disconnect(id);
  });
});

describe('An answer', () => {
  test('that never comes makes its command unknown; it is not sent again, and the session goes on', async () => {
    const device = await lineDevice((said) => (said === 'SILENT' ? undefined : `${said} done`));
    const { id } = await devices.make(device.address, lines);
    const { statusSince } = await devices.connect(id);
    const silent = await devices.command(id, 'SILENT', 1_000);
    const next = await devices.command(id, 'NEXT');
    expect(silent).toMatchObject({ state: 'unknown', reason: expect.stringContaining('1000 ms') });
    expect(next).toMatchObject({ state: 'acknowledged', response: 'NEXT done' });
    expect(await devices.get(id)).toMatchObject({ status: 'connected', statusSince });
    expect([device.executed, device.connections]).toEqual([['SILENT', 'NEXT'], 1]);
    await devices.disconnect(id);
  });

  test('of binary noise is kept as far as it can be, and takes nobody’s status along', async () => {
    const noise = '\u0000\u0001\uFFFF\uD83D';
    const printer = await lineDevice((said) =>
      said.includes('M115')
        ? `FIRMWARE_NAME:No${noise}ise 1.0 PROTOCOL_VERSION:1${noise}\nok`
        : said.includes('M114')
          ? `X:0${noise}\nok`
          : 'ok',
    );
    const other = await lineDevice(() => `${noise}OK`);
    const [one, two] = await Promise.all([
      devices.make(printer.address, { ...eager, protocol: 'marlin', reportSeconds: 0 }),
      devices.make(other.address, lines),
    ]);
    await devices.connect(one.id);
    expect(await devices.connect(two.id)).toMatchObject({ status: 'connected' });
    const connected = await devices.untilDevice(one.id, ({ status }) => status === 'connected');
    expect(connected.firmwareName).toContain('No\uFFFD');
    expect(await devices.command(one.id, 'M114')).toMatchObject({
      state: 'acknowledged',
      response: expect.stringContaining('X:0\uFFFD'),
    });
    expect(await devices.command(two.id, 'READ')).toMatchObject({
      state: 'acknowledged',
      response: expect.stringMatching(/^\uFFFD.*OK$/),
    });
    expect(printer.executed.filter((line) => line.includes('M114'))).toHaveLength(1);
    expect(other.executed).toEqual(['READ']);

    // In the middle of a session, and without an end of a line.
    const marlin = await simulators.start('marlin', '--pty', '--noise');
    const { id } = await devices.make(marlin.address, { ...eager, protocol: 'marlin' });
    expect(await devices.connect(id)).toMatchObject({ status: 'connected' });
    await marlin.tell({ clear: true, rates: { noise: 1 }, say: `${'\u00ff\u0000~'.repeat(20_000)}\n` });
    const texts = ['G0 X1', 'G0 X2', 'G0 X3'];
    for (const text of texts)
      expect(await devices.command(id, text)).toMatchObject({ state: 'acknowledged' });
    const { executed } = await marlin.tell({});
    expect(executed.filter((line) => line.startsWith('G'))).toEqual(texts);
    await Promise.all([one, two, { id }].map((each) => devices.disconnect(each.id)));
  });
});

describe('A command', () => {
  const odd = ['M105\nM112', 'M105\rM112', 'M105\r\n', '\nM112', 'M105\u0000', '\u0018', 'M105\u0085M112'];

  test('with CR, LF or another control character is refused at every door, and no byte reaches the device', async () => {
    const printer = await simulators.start('marlin', '--tcp', '0');
    const { id, ...made } = await devices.make(printer.address, {
      ...eager,
      protocol: 'marlin',
      reportSeconds: 0,
    });
    await devices.connect(id);
    const { bytes } = await printer.tell({});
    const refusals: [string, Promise<{ status: number; text: string }>][] = odd
      .filter((text) => !text.includes('\0'))
      .flatMap((text): typeof refusals => {
        const configured = (configuration: object) =>
          devices.ask('POST', '', { name: 'x', connectionString: made.connectionString, configuration });
        const settings = (body: object) =>
          world.api('POST', '/api/neosyntis/devices', {
            token: user.token,
            body: { device_id: id, ...body },
          });
        return [
          ['command', devices.ask('POST', `/${id}/command`, { command: text })],
          ['onConnect', configured({ onConnect: ['M105', text] })],
          ['hostLossSafety', configured({ hostLossSafety: { commands: [text] } })],
          ['pauseSequence', configured({ gcode: { pauseSequence: [text] } })],
          ['cancelSequence', configured({ gcode: { cancelSequence: [text] } })],
          ['emergencyBytes', configured({ emergencyBytes: text })],
          [
            'connectionString',
            devices.ask('POST', '', { name: 'x', connectionString: `${made.connectionString}/${text}` }),
          ],
          ...(text.includes('\u0085')
            ? []
            : ([
                ['desired', settings({ desired: { 'M92 X': text } })],
                ['set', settings({ settings: { a: { set: text } } })],
                ['get', settings({ settings: { a: { get: text } } })],
              ] as typeof refusals)),
        ];
      });
    for (const [door, answer] of refusals) {
      const { status, text } = await answer;
      expect([door, status, text]).toEqual([door, 422, expect.any(String)]);
    }
    const nul = await devices.ask('POST', `/${id}/command`, { command: 'M105\u0000' });
    expect(nul.status).toBe(422);
    const run = await world.run(
      user,
      [{ ask: { call: 'device.command', with: { device: id, command: '${ .text }' } } }],
      { text: 'M105\nM112' },
    );
    expect(run).toMatchObject({ status: 'failed', error: { detail: expect.stringContaining('U+000a') } });
    expect(await devices.commands(id)).toEqual([]);
    expect(await printer.tell({})).toMatchObject({ bytes });
    await devices.disconnect(id);
  });

  test('is as long as its protocol can take it in, and a longer one is refused with that length', async () => {
    const [marlin, grbl, broker, web] = await Promise.all([
      simulators.start('marlin', '--tcp', '0'),
      simulators.start('grbl', '--tcp', '0'),
      simulators.start('mqtt'),
      simulators.start('http'),
    ]);
    const all = await Promise.all([
      devices.make(marlin.address, { ...eager, protocol: 'marlin', reportSeconds: 0 }),
      devices.make(grbl.address, { ...eager, protocol: 'grbl' }),
      devices.make(broker.address, { ...eager, mqtt: { correlation: 'id' } }),
      devices.make(web.address, { ...eager, http: { path: '/command', method: 'POST' } }),
    ]);
    for (const { id } of all) expect(await devices.connect(id)).toMatchObject({ status: 'connected' });
    const [printer = '', cnc = '', oven = '', site = ''] = all.map(({ id }) => id);
    const longest = `M117 ${'x'.repeat(75)}`;
    expect(await devices.command(printer, longest)).toMatchObject({ state: 'acknowledged' });
    const big = `{"set":{"target":44},"note":"${'é€'.repeat(10_000)}"}`;
    expect(await devices.command(oven, big)).toMatchObject({ state: 'acknowledged' });
    for (const [id, text, why] of [
      [printer, `${longest}x`, 'the command has 81 characters: Marlin reads 96 bytes'],
      [cnc, `(${'x'.repeat(126)})`, 'the command has 128 characters: GRBL’s buffer has 128 bytes'],
      [oven, `{"a":"${'€'.repeat(22_000)}"}`, 'the command has 66008 bytes: a message of this protocol'],
      [site, `PUT /target ${'€'.repeat(22_000)}`, 'at most 65536'],
      [printer, 'M117 €', 'U+20ac'],
    ] as const) {
      const refused = await devices.ask('POST', `/${id}/command`, { command: text });
      expect([refused.status, refused.text]).toEqual([422, expect.stringContaining(why)]);
    }
    const early = await devices.ask('POST', '', {
      ...{ name: 'x', connectionString: 'tcp://127.0.0.1:1' },
      configuration: { protocol: 'marlin', onConnect: [`${longest}x`] },
    });
    expect([early.status, early.body.errors[0].path]).toEqual([422, '/configuration/onConnect/0']);
    expect((await marlin.tell({})).executed.filter((line) => line.startsWith('M117'))).toEqual([longest]);
    expect((await broker.tell({})).executed).toEqual(['target=44']);
    await Promise.all(all.map(({ id }) => devices.disconnect(id)));
  });
});

test('A topic with + or # that something would be published on is refused, and nobody is told anything', async () => {
  const oven = await simulators.start('mqtt');
  for (const topic of ['lab/+/command', 'lab/#', '#', '+']) {
    for (const mqtt of [
      { commandTopic: topic },
      { emergency: { topic, payload: 'stop' } },
      { will: { topic, payload: 'gone' } },
      { availability: { topic, online: 'online', offline: 'offline' } },
    ]) {
      const refused = await devices.ask('POST', '', {
        ...{ name: 'x', connectionString: oven.address, configuration: { mqtt } },
      });
      expect([refused.status, refused.text]).toEqual([422, expect.stringMatching(/\+ (or|and) #/)]);
    }
    const path = await devices.ask('POST', '', {
      ...{ name: 'x', connectionString: oven.address.replace('lab/oven', encodeURIComponent(topic)) },
    });
    expect([path.status, path.text]).toEqual([422, expect.stringContaining('wildcards')]);
  }
  expect(await oven.tell({})).toMatchObject({ bytes: 0 });
});
