import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { OpenDevice } from '../../drivers/devices/connection.ts';
import { until } from '../support/client.ts';
import { type ProtocolCase, protocolCases } from './protocol-cases.ts';

/** What every protocol does, whatever carries it. */
describe.each(Object.keys(protocolCases))('%s', (name) => {
  let device: ProtocolCase;
  let opened: OpenDevice;

  beforeAll(async () => {
    device = await (protocolCases[name] as () => Promise<ProtocolCase>)(); // one of its keys
    opened = await device.open();
  });
  afterAll(async () => {
    await opened.transport.close();
    await device.close();
  });

  const command = (text: string, timeoutMs = 30_000) => opened.protocol.command(text, { timeoutMs });
  const times = async (what: string | RegExp) =>
    (await device.executed()).filter((line) => (typeof what === 'string' ? line === what : what.test(line)))
      .length;
  /** Those that read nothing while they pause have it in their buffer. */
  const underWay = async (number: number): Promise<unknown> =>
    name === 'marlin' || name === 'grbl'
      ? undefined
      : until(
          () => times(device.done(number)),
          (count) => count === 1,
          30_000,
        );
  const reopen = async (): Promise<void> => {
    opened.protocol.close();
    await opened.transport.close();
    await device.restart();
    opened = await device.open();
    await opened.protocol.identify(30_000);
  };

  test('says who is there', async () => {
    expect(opened.protocol.name).toBe(name);
    expect(await opened.protocol.identify(30_000)).toMatchObject(device.identity);
  });

  test('carries out commands in their order, and says yes or no as the device does', async () => {
    const numbers = [11, 12, 13, 14, 15];
    const texts = numbers.map((number) => device.good(number));
    if (device.bad !== undefined) texts.splice(2, 0, device.bad);
    const answers = await Promise.all(texts.map((text) => command(text)));
    for (const [index, { state, reason, answeredAt }] of answers.entries()) {
      expect(state).toBe(texts[index] === device.bad ? 'failed' : 'acknowledged');
      expect(answeredAt).toBeInstanceOf(Date);
      if (state === 'failed') expect(reason).toMatch(/\w/);
    }
    const executed = await device.executed();
    const at = numbers.map((number) => executed.indexOf(String(device.done(number))));
    expect(at).toEqual([...at].sort((a, b) => a - b));
    expect(at).not.toContain(-1);
  });

  test('refuses what cannot be one command, and sends nothing of it', async () => {
    const before = (await device.executed()).length;
    for (const text of ['', '   ', `${device.good(1)}\u0000`, `a\u0018`, 'x'.repeat(70_000)])
      await expect(command(text, 1_000)).rejects.toMatchObject({ code: 'invalid' });
    expect((await device.executed()).length).toBe(before);
  });

  test('says that an answer which never came is unknown, sends it once, and takes no late answer for another one’s', async () => {
    await device.pause(4_000);
    const answer = await command(device.good(21), 500);
    expect(answer).toMatchObject({ state: 'unknown', lines: [], answeredAt: null });
    await device.pause(0);
    expect(await command(device.good(22))).toMatchObject({ state: 'acknowledged' });
    expect([await times(device.done(21)), await times(device.done(22))]).toEqual([1, 1]);
  });

  test('an emergency stop waits for nothing; what was under way is unknown, and what waited is never sent', async () => {
    await reopen();
    const before = await times(device.stop);
    await device.pause(600_000);
    const outcomes = [31, 32, 33].map((number) =>
      command(device.good(number)).then(
        ({ state }) => state,
        (error: Error) => `refused: ${error.message}`,
      ),
    );
    await underWay(31);
    void opened.protocol.emergencyStop().catch(() => {}); // its answer is as late as all others
    await until(
      () => times(device.stop),
      (count) => count > before,
      30_000,
    );
    expect((await Promise.all(outcomes)).every((outcome) => /unknown|refused/.test(outcome))).toBe(true);
    expect(await times(device.done(33))).toBe(0);
    await expect(command(device.good(34))).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('what is under way when it is closed is unknown, and later commands are refused', async () => {
    await reopen();
    await device.pause(600_000);
    const outcome = command(device.good(41));
    await underWay(41);
    opened.protocol.close();
    expect((await outcome).state).toBe('unknown');
    await expect(command(device.good(42))).rejects.toMatchObject({ code: 'unavailable' });
    expect(await times(device.done(42))).toBe(0);
  });

  test('what is under way when the connection is lost is unknown, and the loss has a reason', async () => {
    await reopen();
    await device.pause(600_000);
    const outcome = command(device.good(51));
    await underWay(51);
    await device.cut();
    expect((await outcome).state).toBe('unknown');
    expect(await opened.transport.ended).toMatchObject({ kind: 'lost', reason: expect.stringMatching(/\w/) });
    await expect(command(device.good(52))).rejects.toMatchObject({ code: 'unavailable' });
  });
});
