import { expect, test } from '@jest/globals';
import { isSame, type SettingWay } from '../../domain/myntrix/device-settings.ts';
import { applySettings } from '../../drivers/devices/settings/apply.ts';

/** A device that answers each command by a table or a function, and remembers what it was given. */
function device(answer: (text: string) => string[] | undefined) {
  const given: string[] = [];
  const command = async (text: string) => {
    given.push(text);
    const lines = answer(text);
    return lines
      ? { state: 'acknowledged' as const, lines }
      : { state: 'failed' as const, lines: [], reason: 'error:3: the $ command is not known' };
  };
  return { given, command };
}

test('only what differs is written, each once, and what the device says afterwards is told', async () => {
  const kept: Record<string, string> = { $110: '500.000', $111: '500.000', $0: '10' };
  const { given, command } = device((text) => {
    if (text === '$$') return Object.entries(kept).map(([name, value]) => `${name}=${value} (a comment)`);
    const [, name = '', value = ''] = /^(\$\d+)=(.*)$/.exec(text) ?? [];
    if (!(name in kept)) return undefined;
    if (name !== '$0') kept[name] = `${value}.000`;
    return [];
  });
  const desired = { $110: 500, $111: 600, $0: 9, $99: 1, feed: 3 };
  const { reported, problems } = await applySettings(command, 'grbl', { settings: {}, desired });
  expect(given).toEqual(['$$', '$111=600', '$0=9', '$99=1', '$$']);
  expect(reported).toEqual({ $110: 500, $111: 600, $0: 10 });
  expect(problems).toEqual({
    $0: 'it was written, and the device still says 10',
    $99: '$99=1: failed (error:3: the $ command is not known)',
    feed: 'the protocol grbl has no such setting: say how it is written in settings',
  });
});

test('settings of Marlin, of registers and of JSON are read and written in their own way', async () => {
  const marlin = device((text) =>
    text === 'M503'
      ? ['echo:; Steps per unit:', 'echo:  M92 X80.00 Y80.00 ; steps', 'echo:M301 P22.20 I1.08']
      : [],
  );
  expect(
    await applySettings(marlin.command, 'marlin', { settings: {}, desired: { 'M92 X': 80, 'M301 P': 22.2 } }),
  ).toEqual({
    reported: { 'M92 X': 80, 'M92 Y': 80, 'M301 P': 22.2, 'M301 I': 1.08 },
    problems: {},
  });
  expect(marlin.given).toEqual(['M503']);
  const plc = device((text) => (text === 'read speed' ? ['speed=7'] : []));
  expect(await applySettings(plc.command, 'modbus', { settings: {}, desired: { speed: 7 } })).toMatchObject({
    problems: {},
  });
  const oven = device((text) => (text.startsWith('{"get"') ? ['{"ok":true,"target":41}'] : ['{"ok":true}']));
  expect(await applySettings(oven.command, 'mqtt', { settings: {}, desired: { target: 40 } })).toEqual({
    reported: { target: 41 },
    problems: { target: 'it was written, and the device still says 41' },
  });
  expect(oven.given).toEqual(['{"get":"target"}', '{"set":{"target":40}}', '{"get":"target"}']);
});

test('a way of its own goes before that of the protocol, and what cannot be read back is told as such', async () => {
  const ways: Record<string, SettingWay> = {
    volts: { set: 'VOLT {value}', get: 'VOLT?' },
    amps: { set: 'CURR {value}' },
    mode: { set: 'MODE {value}', get: 'STATE?', at: '/supply/mode' },
  };
  const supply = device((text) =>
    text === 'VOLT?'
      ? ['5.00']
      : text === 'STATE?'
        ? ['{"supply":{"mode":"cv"}}']
        : text.startsWith('CURR')
          ? []
          : undefined,
  );
  const desired = { volts: 5, amps: 2, mode: 'cc' };
  expect(await applySettings(supply.command, 'lines', { settings: ways, desired })).toEqual({
    reported: { volts: 5, mode: 'cv' },
    problems: {
      amps: 'it was written, and cannot be read back',
      mode: expect.stringContaining('MODE cc: failed'),
    },
  });
  const silent = await applySettings(() => Promise.reject(new Error('no connection')), 'grbl', {
    settings: {},
    desired: { $1: 2 },
  });
  expect(silent).toEqual({ reported: {}, problems: { $1: '$1=2: no connection' } });
});

test('numbers are the same however they are written, and texts only as they are', () => {
  for (const [a, b, same] of [
    [500, '500.000', true],
    [0.1, 0.100001, true],
    [0.1, 0.2, false],
    [true, 1, true],
    ['cv', 'cv', true],
    ['cv', 'CV', false],
    [0, '', false],
    [0, undefined, false],
  ] as const)
    expect([a, b, isSame(a, b)]).toEqual([a, b, same]);
});
