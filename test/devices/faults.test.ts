import { afterAll, expect, test } from '@jest/globals';
import type { Transport } from '../../drivers/devices/port.ts';
import { createGrbl } from '../../drivers/devices/protocols/grbl.ts';
import { createMarlin } from '../../drivers/devices/protocols/marlin.ts';
import { type RunningSimulator, startSimulator } from '../simulators/start.ts';
import { until } from '../support/client.ts';
import { connect, program } from './connect.ts';

/** What was started in a test, ended after all of them. */
const opened: { transport: Transport; simulator: RunningSimulator }[] = [];
afterAll(async () => {
  for (const { transport, simulator } of opened) {
    await transport.close();
    await simulator.stop();
  }
});

async function start(...args: string[]): Promise<{ transport: Transport; simulator: RunningSimulator }> {
  const simulator = await startSimulator(args);
  const both = { simulator, transport: await connect(simulator.address) };
  opened.push(both);
  return both;
}

test('a printer that loses, joins and damages lines and answers does each line once, in its order', async () => {
  const { simulator, transport } = await start('marlin', '--pty', '--seed', '11');
  const device = createMarlin(transport, { ackTimeoutMs: 20, recoverMs: 10, deadMs: 30_000 });
  await device.identify(30_000);
  await simulator.tell({
    clear: true,
    rates: {
      damage: 0.02,
      lose: 0.01,
      join: 0.01,
      'lose-ok': 0.01,
      'damage-ok': 0.01,
      storm: 0.3,
      noise: 0.02,
    },
  });
  const { source, sha256 } = program(1_500);
  expect(await device.run?.(source()).ended).toMatchObject({
    kind: 'completed',
    progress: { acknowledgedLines: 1_500 },
  });
  const report = await simulator.tell({});
  expect(report).toMatchObject({ motions: 1_500, sha256 });
  for (const name of ['damage', 'lose', 'join', 'lose-ok', 'damage-ok', 'storm', 'noise'] as const)
    expect(report.faults[name]).toBeGreaterThan(0);
});

test('a printer that is late at the start counts from one number, and does nothing twice', async () => {
  const { simulator, transport } = await start('marlin', '--pty');
  await simulator.tell({ clear: true, pauseMs: 600_000 });
  const device = createMarlin(transport, { ackTimeoutMs: 20 }); // asks several times meanwhile
  const texts = ['G0 X1', 'G0 X2', 'G0 X3', 'G0 X4'];
  const given = Promise.all(texts.map((text) => device.command(text, { timeoutMs: 60_000 })));
  await until(
    () => simulator.tell({}),
    ({ bytes }) => bytes > 3 * 'N0 M110 N0*125\n'.length,
    60_000,
  );
  await simulator.tell({ pauseMs: 0 });
  await given;
  const { executed, last } = await simulator.tell({});
  expect(last.filter((line) => line.includes('M110')).length).toBeGreaterThan(1);
  expect(executed.filter((line) => line.startsWith('G'))).toEqual(texts);
});

test('a printer that asks for the first line in the middle of a program is not sent it again', async () => {
  const { simulator, transport } = await start('marlin', '--tcp', '0', '--motion-ms', '20');
  const device = createMarlin(transport);
  await device.identify(30_000);
  await simulator.tell({ clear: true });
  const run = device.run?.(program(2_000).source());
  while ((await simulator.tell({})).motions < 20);
  await simulator.tell({ say: 'Resend: 1\nok\n' });
  expect(await run?.ended).toMatchObject({ kind: 'held', reason: expect.stringContaining('another count') });
  const { executed } = await simulator.tell({});
  expect(new Set(executed).size).toBe(executed.length);
});

test('an answer too many makes no line count as done twice, and none as done that was not', async () => {
  const { simulator, transport } = await start('marlin', '--pty');
  const device = createMarlin(transport, { ackTimeoutMs: 20, recoverMs: 10 });
  await device.identify(30_000);
  await simulator.tell({ clear: true, rates: { lose: 0.05 } });
  const { source, sha256 } = program(600);
  const run = device.run?.(source());
  await simulator.tell({ say: 'ok\nok\n' });
  expect(await run?.ended).toMatchObject({ kind: 'completed', progress: { acknowledgedLines: 600 } });
  expect(await simulator.tell({})).toMatchObject({ motions: 600, sha256 });
});

test('an emergency stop is read at once by a printer at 115,200 baud whose port is full', async () => {
  const { simulator, transport } = await start('marlin', '--pty', '--baud', '115200');
  const device = createMarlin(transport, { window: { lines: 100_000, bytes: 10_000_000 } });
  await device.identify(30_000);
  const { source } = program(20_000);
  const run = device.run?.(source());
  // Comes to most of a minute on the wire, and all of it is under way.
  let before = 0;
  while (before < 50) before = (await simulator.tell({})).motions;
  await device.emergencyStop();
  expect(await run?.ended).toMatchObject({ kind: 'held', reason: expect.stringContaining('emergency stop') });
  let report = await simulator.tell({});
  while (!report.executed.includes('M112')) report = await simulator.tell({});
  // What waited here and in the port was dropped, but for 4 KiB that a pty keeps; all of it would have come before.
  expect(report.motions).toBeLessThan(10_000);
  expect(report.executed.at(-1)).toBe('M112');
});

test('a controller whose answer is lost holds the program, and says that it does not know', async () => {
  const { simulator, transport } = await start('grbl', '--tcp', '0');
  const device = createGrbl(transport, { statusMs: 20 });
  await device.identify(30_000);
  await simulator.tell({ clear: true, once: { 'lose-ok': 100 } });
  const { source } = program(120);
  const end = await device.run?.(source()).ended;
  expect(end).toMatchObject({ kind: 'held', reason: expect.stringContaining('answer was lost') });
  expect((await simulator.tell({})).motions).toBe(120);
  await simulator.tell({ clear: true, once: { damage: 10 } });
});

test('a controller that refuses a line holds the program at it, with the meaning of its number', async () => {
  const { simulator, transport } = await start('grbl', '--pty');
  const device = createGrbl(transport, { statusMs: 20 });
  await device.identify(30_000);
  async function* source() {
    yield ['G0 X1', 'G999', 'G0 X2'].map((text, index) => ({ text, sourceLine: index + 1, endByte: index }));
  }
  const end = await device.run?.(source()).ended;
  expect(end).toMatchObject({
    kind: 'held',
    reason: 'line 2 (G999): error:20: the command is not supported',
    progress: { acknowledgedLines: 1, sourceLine: 1 },
  });
  await simulator.tell({ say: 'ALARM:1\r\n' });
  const heard = Promise.withResolvers<string>();
  device.onEvent((event) => event.kind === 'alarm' && heard.resolve(event.message));
  await simulator.tell({ say: 'ALARM:9\r\n' });
  expect(await heard.promise).toMatch(/limit switch/);
});

test('a port that is taken, missing or gone is told apart, and noise at the start harms nobody', async () => {
  const { simulator, transport } = await start('marlin', '--pty', '--noise');
  await expect(connect(simulator.address)).rejects.toThrow('in use by another program');
  await expect(connect('/dev/ttyVareonNone')).rejects.toThrow('there is no port');
  await expect(connect('serial://?usb=NOBODY')).rejects.toThrow(
    /serial number NOBODY|udevadm, of udev, is not/,
  );
  await expect(connect('tcp://127.0.0.1:1')).rejects.toThrow('ECONNREFUSED');
  const device = createMarlin(transport, { ackTimeoutMs: 100 });
  expect(await device.identify(30_000)).toMatchObject({ firmwareName: 'Marlin' });
  await simulator.tell({ disconnect: true });
  expect(await transport.ended).toMatchObject({ kind: 'lost' });
});
