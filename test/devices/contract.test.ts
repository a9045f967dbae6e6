import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Transport } from '../../drivers/devices/port.ts';
import { detectProtocol } from '../../drivers/devices/protocols/detect.ts';
import { createGrbl } from '../../drivers/devices/protocols/grbl.ts';
import { createMarlin } from '../../drivers/devices/protocols/marlin.ts';
import type { DeviceEvent, DeviceProtocol } from '../../drivers/devices/protocols/port.ts';
import { type RunningSimulator, startSimulator } from '../simulators/start.ts';
import { connect, program } from './connect.ts';

/** Short times: what is silent here is silent for good. */
const makers = {
  marlin: (transport: Transport) =>
    createMarlin(transport, { ackTimeoutMs: 150, recoverMs: 50, window: { lines: 4, bytes: 127 } }),
  grbl: (transport: Transport) => createGrbl(transport, { statusMs: 50 }),
};
const motions = 400;
const { source, sha256 } = program(motions);

describe.each([
  ['marlin', 'pty'],
  ['marlin', 'tcp'],
  ['grbl', 'pty'],
  ['grbl', 'tcp'],
] as const)('%s over %s', (kind, link) => {
  let simulator: RunningSimulator;
  let transport: Transport;
  let device: DeviceProtocol;
  let events: DeviceEvent[];

  const open = async (): Promise<void> => {
    transport = await connect(simulator.address);
    device = makers[kind](transport);
    events = [];
    device.onEvent((event) => events.push(event));
  };
  const reopen = async (): Promise<void> => {
    await transport.close();
    await simulator.tell({ restart: true, clear: true });
    await open();
    await device.identify(30_000);
    await simulator.tell({ clear: true });
  };

  beforeAll(async () => {
    simulator = await startSimulator([kind, ...(link === 'pty' ? ['--pty'] : ['--tcp', '0'])]);
    transport = await connect(simulator.address);
    expect(await detectProtocol(transport, 30_000)).toBe(kind);
    device = makers[kind](transport);
  });
  afterAll(async () => {
    await transport.close();
    await simulator.stop();
  });

  test('says who it is', async () => {
    await reopen();
    expect(await device.identify(30_000)).toMatchObject(
      kind === 'marlin'
        ? { firmwareName: 'Marlin', firmwareVersion: '2.1.2.4' }
        : { firmwareName: 'Grbl', firmwareVersion: '1.1h.20190825' },
    );
  });

  test('answers each command with what belongs to it, in order', async () => {
    const texts = kind === 'marlin' ? ['M114', 'M999', 'X'] : ['$G', '$X', 'G999'];
    const answers = await Promise.all(texts.map((text) => device.command(text, { timeoutMs: 30_000 })));
    expect(answers.map(({ state }) => state)).toEqual(['acknowledged', 'acknowledged', 'failed']);
    expect(answers[0]?.lines).toEqual([expect.stringMatching(kind === 'marlin' ? /^X:/ : /^\[GC:/)]);
    expect(answers[2]?.reason).toMatch(
      kind === 'marlin' ? /Unknown command/ : /error:20: the command is not/,
    );
    expect((await simulator.tell({})).last.join('\n')).not.toContain('\r');
  });

  test('refuses a command that is more than one line', async () => {
    for (const text of ['G0 X1\nM112', 'G0 X1\rG0 X2', 'G0\u0000', '\u0018', 'Grüße €'])
      await expect(device.command(text, { timeoutMs: 1_000 })).rejects.toThrow('one line of printable');
  });

  test('streams a program: each line is done once, in its order', async () => {
    await reopen();
    const run = device.run?.(source());
    expect(await run?.ended).toMatchObject({ kind: 'completed', progress: { acknowledgedLines: motions } });
    expect(await simulator.tell({})).toMatchObject({ motions, sha256 });
  });

  test('takes commands between the lines of a program', async () => {
    await reopen();
    const run = device.run?.(source());
    const answer = await device.command(kind === 'marlin' ? 'M105' : '$G', { timeoutMs: 30_000 });
    expect(answer).toMatchObject({ state: 'acknowledged', lines: [expect.stringMatching(/T:|GC:/)] });
    expect(await run?.ended).toMatchObject({ kind: 'completed' });
    expect(await simulator.tell({})).toMatchObject({ motions, sha256 });
  });

  test('pauses, goes on, and ends with its safe sequence when it is cancelled', async () => {
    await reopen();
    const run = device.run?.(source());
    await run?.pause();
    const { acknowledgedLines } = run?.progress() ?? {};
    expect(await simulator.tell({})).toMatchObject({ motions: acknowledgedLines });
    run?.resume();
    const end = await run?.cancel(['G4 P1', 'G0 Z10']);
    expect(end?.kind === 'cancelled' || end?.kind === 'completed').toBe(true);
    const { executed } = await simulator.tell({});
    if (end?.kind === 'cancelled') expect(executed.slice(-2)).toEqual(['G4 P1', 'G0 Z10']);
  });

  test('holds the program with its last acknowledged line when the device starts anew', async () => {
    await reopen();
    await simulator.tell({ once: { reset: 100 } });
    const end = await device.run?.(source()).ended;
    expect(end).toMatchObject({ kind: 'held', reason: expect.stringContaining('started anew') });
    expect(end?.progress.acknowledgedLines).toBeLessThanOrEqual(100);
    expect(events).toContainEqual({ kind: 'reset' });
    const { motions: done } = await simulator.tell({});
    // GRBL has no numbers: what was under way already comes after its start, and is done.
    if (kind === 'marlin') expect(done).toBe(101);
    else expect(done).toBeGreaterThan(100);
  });

  test('sends an emergency stop before everything that waits', async () => {
    await reopen();
    await simulator.tell({ motionMs: 20 });
    const run = device.run?.(source());
    const waiting = device.command(kind === 'marlin' ? 'G4 P60000' : 'G4', { timeoutMs: 60_000 });
    const outcome = waiting.then(
      ({ state }) => state,
      (error: Error) => error.message,
    );
    await device.emergencyStop();
    expect(await run?.ended).toMatchObject({ kind: 'held' });
    expect(await outcome).toMatch(/unknown|emergency stop/);
    const stop = kind === 'marlin' ? 'M112' : '0x18';
    for (;;) {
      const { executed } = await simulator.tell({});
      if (!executed.includes(stop)) continue;
      expect(executed.at(-1)).toBe(stop);
      break;
    }
    await simulator.tell({ motionMs: 0, restart: true });
  });

  test('says that an answer which never came is unknown, and does not ask twice', async () => {
    await reopen();
    await simulator.tell({ pauseMs: 600_000 });
    const answer = await device.command('G0 X7', { timeoutMs: 50 });
    expect(answer).toMatchObject({ state: 'unknown', answeredAt: null });
    await simulator.tell({ pauseMs: 0 });
    expect((await device.command('G0 X8', { timeoutMs: 30_000 })).state).toBe('acknowledged');
    const { executed } = await simulator.tell({});
    expect(executed.filter((line) => line.startsWith('G0'))).toEqual(['G0 X7', 'G0 X8']);
  });

  test('what is under way when the device is gone is unknown, and the loss has a reason', async () => {
    await reopen();
    await simulator.tell({ once: { disconnect: 50 } });
    expect(await device.run?.(source()).ended).toMatchObject({ kind: 'held' });
    expect(await transport.ended).toMatchObject({ kind: 'lost' });
    await expect(device.command('G0', { timeoutMs: 300 })).rejects.toThrow();
  });
});
