// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { keepSimulators } from '../simulators/kept.ts';
import { until } from '../support/client.ts';
import { createHosts } from '../support/host.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
const simulators = keepSimulators();
beforeAll(async () => {
  world = await enterWorld('sql', 'temporal');
  user = await world.newUser('operator');
});
afterAll(async () => {
  await simulators.stopAll();
  await world.close();
});

const path = '/api/myntrix/devices';
// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
type Answer = Record<string, any>;

const simulate = simulators.start;
const ask = (method: string, rest: string, body?: object) =>
  world.api(method, `${path}${rest}`, { token: user.token, ...(body ? { body } : {}) });
const make = async (
  connectionString: string,
  configuration: object = {},
  more: object = {},
): Promise<Answer> =>
  expectStatus(201, ask('POST', '', { name: 'test', connectionString, configuration, ...more }));
const get = async (id: string): Promise<Answer> => (await ask('GET', `/${id}`)).body;
const untilDevice = (id: string, done: (device: Answer) => boolean): Promise<Answer> =>
  until(() => get(id), done, 60_000);
const connect = (id: string, wait = 60): Promise<Answer> =>
  expectStatus(202, ask('POST', `/${id}/connect?wait=${wait}`));
const disconnect = (id: string): Promise<Answer> =>
  expectStatus(202, ask('POST', `/${id}/disconnect?wait=60`));
const command = (id: string, text: string, timeoutMs = 60_000): Promise<Answer> =>
  expectStatus(200, ask('POST', `/${id}/command`, { command: text, timeout_ms: timeoutMs }));
/** Reconnects as fast as it may. */
const eager = { reconnect: { initialMs: 50, maxMs: 200 } };

describe('A device', () => {
  test('is added, connected, asked, stopped, connected anew, disconnected and deleted, and who watches is told', async () => {
    const events = await world.watch(user, '/ws/events?topics=devices');
    const simulator = await simulate('marlin', '--pty');
    const made = await make(simulator.address, {
      ...eager,
      protocol: 'marlin',
      onConnect: ['G28'],
      hostLossSafety: { afterSeconds: 600 },
    });
    expect(made).toMatchObject({
      status: 'disconnected',
      desired: 'disconnected',
      lastSeen: null,
      host: 'local',
    });
    expect((await ask('POST', `/${made.id}/command`, { command: 'M105' })).status).toBe(409);

    const connected = await connect(made.id);
    expect(connected).toMatchObject({
      status: 'connected',
      statusReason: null,
      protocol: 'marlin',
      firmwareName: 'Marlin',
      firmwareVersion: '2.1.2.4',
      mocked: false,
      safety: { onHostLoss: 'configured', detail: expect.stringContaining('M85 S600') },
    });
    const given = await Promise.all(
      ['M105', 'M114', 'M104 S200', 'FOO'].map((text) => command(made.id, text)),
    );
    expect(given.map(({ state }) => state)).toEqual([
      'acknowledged',
      'acknowledged',
      'acknowledged',
      'failed',
    ]);
    expect(given[0]).toMatchObject({
      deviceId: made.id,
      command: 'M105',
      response: expect.stringMatching(/T:\d/),
    });
    expect(given[1]?.response).toContain('X:0.00');
    expect(given[3]?.reason).toContain('Unknown command');
    for (const { sentAt, answeredAt } of given)
      expect(Date.parse(answeredAt)).toBeGreaterThanOrEqual(Date.parse(sentAt));
    const refused = await ask('POST', `/${made.id}/command`, { command: 'G28\nM112' });
    expect([refused.status, refused.text]).toEqual([422, expect.stringContaining('U+000a')]);
    const recorded: Answer[] = (await ask('GET', `/${made.id}/commands?limit=4`)).body;
    expect(recorded).toEqual(expect.arrayContaining(given));

    const changed = await ask('GET', `/${made.id}`);
    const put = (body: object, etag?: string) =>
      world.api('PUT', `${path}/${made.id}`, {
        token: user.token,
        body,
        ...(etag === undefined ? {} : { headers: { 'If-Match': etag } }),
      });
    expect((await put({ name: 'x' }, '"other"')).status).toBe(412);
    expect((await put({ ...changed.body, name: 'renamed' }, changed.headers.etag as string)).body.name).toBe(
      'renamed',
    );
    expect((await put({ connectionString: 'mock://x' })).status).toBe(409);

    const before = (await simulator.tell({})).executed.length;
    expect(await expectStatus(200, ask('POST', `/${made.id}/emergency-stop`))).toMatchObject({
      deviceId: made.id,
      delivered: true,
    });
    const halted = await untilDevice(made.id, ({ emergencyNote }) => emergencyNote !== null);
    expect(halted.emergencyNote).toContain('emergency stop was sent');
    expect((await simulator.tell({})).executed[before]).toBe('M112');
    await simulator.tell({ restart: true });
    const calm = await untilDevice(
      made.id,
      ({ status, statusSince }) => status === 'connected' && statusSince > connected.statusSince,
    );
    expect(calm.emergencyNote).not.toBeNull();
    const { executed } = await simulator.tell({});
    await simulator.tell({ clear: true });
    expect(executed.slice(before + 1)).toContain('M85 S600'); // safe again…
    expect(executed.slice(before + 1)).not.toContain('G28'); // …and nothing moved by itself
    expect(await connect(made.id)).toMatchObject({ status: 'connected', emergencyNote: null });
    expect((await simulator.tell({})).executed).toContain('G28');
    const stops: Answer[] = (await ask('GET', `/${made.id}/commands?limit=1`)).body;
    expect(stops).toMatchObject([{ kind: 'emergency_stop', state: 'unknown', sentAt: expect.any(String) }]);

    expect(await disconnect(made.id)).toMatchObject({ status: 'disconnected', desired: 'disconnected' });
    expect((await ask('POST', `/${made.id}/emergency-stop`)).text).toContain('NOT delivered');
    await expectStatus(204, ask('DELETE', `/${made.id}`));
    expect((await ask('GET', `/${made.id}`)).status).toBe(404);
    await until(
      () => world.sql('select 1 from devices where id = ?', [made.id]),
      (rows) => rows.length === 0,
      60_000,
    );
    await events.next(
      ({ event }) => event?.type === 'dev.vareon.device.deleted' && event.subject === made.id,
    );
    const told = events.frames.flatMap(({ event }) =>
      event?.subject === made.id ? [event.type.slice('dev.vareon.device.'.length)] : [],
    );
    events.close();
    expect(told.filter((state, at) => state !== told[at - 1]).join(' ')).toMatch(
      /^connecting connected connecting (error )?connected connecting connected disconnected deleted$/,
    );
  });

  test('that moves its tool is seen to move it, without being asked', async () => {
    const printer = await simulate('marlin', '--pty');
    const { id } = await make(printer.address, { ...eager, protocol: 'marlin', reportSeconds: 1 });
    await connect(id);
    expect(await command(id, 'G1 X12.5 Y3 Z0.2')).toMatchObject({ state: 'acknowledged' });
    const seen = await until(
      async () => {
        const scene = await world.api('GET', '/api/myntrix/visualization-data', { token: user.token });
        return scene.body.devices.find((one: Answer) => one.id === id).animation.tool;
      },
      (tool) => tool?.x === 12.5,
      60_000,
    );
    expect(seen).toMatchObject({ x: 12.5, y: 3, z: 0.2 });
    expect((await printer.tell({})).executed).not.toContain('M114');
    await disconnect(id);
    await printer.stop();
  });

  test('of any protocol is found out, comes back when it was lost, and one that never answers is said so', async () => {
    const [grbl, marlin] = await Promise.all([
      simulate('grbl', '--tcp', '0'),
      simulate('marlin', '--tcp', '0'),
    ]);
    const [cnc, printer, mock] = await Promise.all([
      make(grbl.address, eager, { type: 'GRBL' }),
      make(marlin.address, eager), // found out
      make('mock://nothing'),
    ]);
    const [asCnc, asPrinter, asMock] = await Promise.all([cnc, printer, mock].map(({ id }) => connect(id)));
    expect(asCnc).toMatchObject({
      status: 'connected',
      protocol: 'grbl',
      firmwareName: 'Grbl',
      mocked: false,
    });
    expect(asCnc?.safety.onHostLoss).toBe('none');
    expect(asPrinter).toMatchObject({ status: 'connected', protocol: 'marlin' });
    expect(asMock).toMatchObject({ status: 'connected', mocked: true });
    expect(await command(mock.id, 'hello')).toMatchObject({ state: 'acknowledged', response: 'ok' });
    expect(await command(cnc.id, 'G0 X1')).toMatchObject({ state: 'acknowledged' });
    expect(await command(cnc.id, '!')).toMatchObject({ state: 'unknown' }); // acts at once
    expect(await command(cnc.id, '~')).toMatchObject({ state: 'unknown' });
    expect(await command(cnc.id, 'G99')).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining('error:'),
    });

    // Many clients' commands are one after the other, in the order in which they are recorded.
    await grbl.tell({ clear: true });
    const texts = Array.from({ length: 20 }, (_, at) => `G0 X${at}`);
    await Promise.all(texts.map((text) => command(cnc.id, text)));
    const recorded: Answer[] = (await ask('GET', `/${cnc.id}/commands?limit=20`)).body;
    expect((await grbl.tell({})).executed.filter((text) => text.startsWith('G0'))).toEqual(
      recorded.map(({ command: text }) => text).reverse(),
    );

    await marlin.tell({ pauseMs: 600_000 });
    expect(await command(printer.id, 'M105', 300)).toMatchObject({ state: 'unknown', answeredAt: null });
    await marlin.tell({ pauseMs: 0 });
    const executed = (await grbl.tell({})).executed;
    await grbl.tell({ disconnect: true });
    await untilDevice(
      cnc.id,
      ({ statusSince, status }) => status === 'connected' && statusSince > asCnc?.statusSince,
    );
    expect((await grbl.tell({})).executed.slice(0, executed.length)).toEqual(executed);
    await grbl.stop();
    const gone = await untilDevice(cnc.id, ({ status }) => status === 'error');
    expect(gone.statusReason).toContain('ECONNREFUSED');
    await Promise.all([cnc, printer, mock].map(({ id }) => disconnect(id)));
  });

  test('that cannot be connected says why, and nobody takes what another one has', async () => {
    const invalid = await Promise.all([
      ask('POST', '', { name: 'x', connectionString: 'tcp://host' }),
      ask('POST', '', { name: 'x', connectionString: 'printer' }),
      ask('POST', '', { name: 'x', connectionString: 'gopher://x' }),
      ask('POST', '', { name: 'x', connectionString: '/etc/passwd' }),
      ask('POST', '', { name: 'x', connectionString: 'mock://x', configuration: { protocol: 'morse' } }),
      ask('POST', '', { name: 'x', connectionString: 'mock://x', configuration: { onConnect: ['a\nb'] } }),
    ]);
    expect(invalid.map(({ status }) => status)).toEqual(invalid.map(() => 422));
    expect(invalid.map(({ body }) => body.errors[0].path)).toEqual([
      ...['/connectionString', '/connectionString', '/connectionString', '/connectionString'],
      ...['/configuration/protocol', '/configuration/onConnect/0'],
    ]);
    expect(invalid[1]?.text).toContain('configuration.port');

    const [grbl, noisy] = await Promise.all([
      simulate('grbl', '--pty'),
      simulate('marlin', '--tcp', '0', '--fault', 'noise=1'),
    ]);
    const port = grbl.address;
    const wrong = { ...eager, protocol: 'marlin', connectTimeoutMs: 1_000 };
    const [missing, other, noise] = await Promise.all([
      make('/dev/vareon-not-there', eager),
      make(port, wrong),
      make(noisy.address, { ...wrong, reconnect: { initialMs: 60_000 } }),
    ]);
    const problems = await Promise.all([missing, other, noise].map(({ id }) => connect(id)));
    expect(problems.map(({ status }) => status)).toEqual([
      'error',
      'error',
      expect.stringMatching(/error|connected/),
    ]);
    expect(problems[0]?.statusReason).toContain('there is no port');
    expect(problems[1]?.statusReason).toContain('M115');

    const second = await make(port, { protocol: 'grbl' });
    const taken = await ask('POST', `/${second.id}/connect`);
    expect([taken.status, taken.text]).toEqual([409, expect.stringContaining(other.id)]);
    await Promise.all([missing, other, noise].map(({ id }) => disconnect(id)));
    // By another name the system's lock knows it.
    const real = port.replace('serial://', '').replace(/\?.*/, '');
    const alias = await make(real.replace('/dev/', '/dev/./'), { protocol: 'grbl' });
    expect((await connect(second.id)).status).toBe('connected');
    expect((await connect(alias.id)).statusReason).toContain('in use by another program');
    expect(await command(second.id, '$I')).toMatchObject({ state: 'acknowledged' });
    await Promise.all([second, alias].map(({ id }) => disconnect(id)));

    const { body } = await world.api('GET', '/api/myntrix/hardware?limit=200', { token: user.token });
    expect(body.find(({ id }: Answer) => id === second.id)).toMatchObject({ status: 'disconnected' });
    const hardware = `/api/myntrix/hardware/${second.id}/status`;
    await expectStatus(202, world.api('PUT', hardware, { token: user.token, body: { status: 'connected' } }));
    await until(
      async () => (await world.api('GET', hardware, { token: user.token })).body.status,
      (status) => status === 'connected',
      60_000,
    );
    await disconnect(second.id);
  });

  test('is used by steps of runs, as honestly', async () => {
    const printer = await simulate('marlin', '--tcp', '0');
    const name = `steps ${printer.address}`;
    const made = await make(printer.address, { ...eager, protocol: 'marlin' }, { name });
    const give = (text: string, more: object = {}) => ({
      call: 'device.command',
      with: { device: name, command: text, ...more },
    });
    const caught = (step: object) => ({
      try: [{ give: step }],
      catch: {
        as: 'why',
        do: [{ say: { set: { why: '${ $why.detail }' }, export: { as: '${ $context + [$input] }' } } }],
      },
    });
    const run = await world.run(user, [
      { early: caught(give('M105')) },
      { up: { call: 'device.connect', with: { device: made.id }, export: { as: '${ [.] }' } } },
      { ask: { ...give('M105'), export: { as: '${ $context + [.] }' } } },
      { wrong: caught(give('FOO')) },
      { odd: caught(give('G28\nG28')) },
      { down: { call: 'device.disconnect', with: { device: name } } },
    ]);
    expect(run).toMatchObject({
      status: 'completed',
      output: { name, status: 'disconnected', device_id: made.id },
    });
    const outputs = Object.fromEntries(run.steps.map((step: Answer) => [step.name, step]));
    expect(outputs.up).toMatchObject({ status: 'completed', idempotent: true });
    const commands: Answer[] = (await ask('GET', `/${made.id}/commands`)).body;
    expect(commands.map(({ command: text, state }) => `${text} ${state}`)).toEqual([
      'FOO failed',
      'M105 acknowledged',
    ]);

    await connect(made.id);
    await printer.tell({ pauseMs: 600_000 });
    const unknown = await world.run(user, [
      { give: { ...give('M114', { timeout_ms: 200 }), metadata: { onUnknown: 'fail' } } },
    ]);
    expect(unknown).toMatchObject({ status: 'failed', steps: [{ status: 'unknown' }] });
    expect(unknown.error.detail).toContain('Whether');
    const viewer = await world.newUser('viewer');
    expect(
      (
        await world.api('POST', `${path}/${made.id}/command`, {
          token: viewer.token,
          body: { command: 'M105' },
        })
      ).status,
    ).toBe(403);
    await disconnect(made.id);
  });

  test('of a host whose serial ports are made up says that it is mocked', async () => {
    const hosts = createHosts({ url: world.url, api: world.api, token: world.admin.token });
    const name = `mock-${Date.now()}`;
    const host = await hosts.join(name, { env: { VAREON_MOCK_SERIAL: 'true' } });
    const made = await make('/dev/ttyUSB7', { protocol: 'lines' }, { host: name });
    expect(await connect(made.id)).toMatchObject({ status: 'connected', mocked: true, host: name });
    expect(await command(made.id, 'anything')).toMatchObject({ state: 'acknowledged' });
    host.signal('SIGTERM');
    await host.ended;
    const left = await untilDevice(made.id, ({ status }) => status === 'unknown');
    expect(left.statusReason).toContain(`host "${name}" is not there`);
    expect((await ask('POST', `/${made.id}/command`, { command: 'x' })).status).toBe(409);
    await hosts.close();
  });
});
