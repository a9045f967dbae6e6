import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { cardName, kindOfName, plainName } from '../../domain/myntrix/device-uploads.ts';
import { type Flasher, flasherArguments } from '../../domain/myntrix/flashers.ts';
import { follow, initialState, machineAt } from '../../drivers/devices/gcode/machine.ts';
import { beginNote, readNote } from '../../drivers/devices/jobs/note.ts';

const folder = mkdtempSync(join(tmpdir(), 'vareon-jobs-'));
afterAll(() => rmSync(folder, { recursive: true }));

const port = '/dev/ttyUSB0';
test.each<[Flasher, string]>([
  [
    { flasher: 'avrdude', part: 'atmega2560', programmer: 'wiring', baud: 115200 },
    '-p atmega2560 -c wiring -P /dev/ttyUSB0 -b 115200 -D -U flash:w:/f:a',
  ],
  [
    { flasher: 'avrdude', part: 'm328p', programmer: 'usbasp', memory: 'eeprom', erase: true },
    '-p m328p -c usbasp -P /dev/ttyUSB0 -U eeprom:w:/f:a',
  ],
  [
    { flasher: 'esptool', chip: 'esp32', baud: 921600, address: '0x10000', flashMode: 'dio', eraseAll: true },
    '--chip esp32 --port /dev/ttyUSB0 --baud 921600 write_flash --flash_mode dio --erase-all 0x10000 /f',
  ],
  [{ flasher: 'esptool' }, '--port /dev/ttyUSB0 write_flash 0x0 /f'],
  [
    { flasher: 'dfu-util', device: '0483:df11', address: '0x08000000', leave: true },
    '-d 0483:df11 -a 0 -s 0x08000000:leave -D /f',
  ],
  [{ flasher: 'dfu-util', alt: 1 }, '-a 1 -D /f'],
])('A flasher gets the arguments that are made of %j', (flasher, words) => {
  expect(flasherArguments(flasher, '/f', port).join(' ')).toBe(words);
});

test('A flasher that writes by a port says so when the device has none', () => {
  expect(() => flasherArguments({ flasher: 'esptool' }, '/f', undefined)).toThrow(/serial port/);
});

describe('What a program has told the machine', () => {
  const told = (...lines: string[]) => {
    const state = initialState();
    for (const line of lines) follow(state, line);
    return state;
  };
  test('is where it was sent, absolutely or by steps, and what was set', () => {
    expect(
      told('G28', 'M190 S60', 'M109 S205', 'M83', 'G1 X10 Y5.5 E2 F1500', 'G1X-1.5', 'G1 E1', 'M106', 'T1'),
    ).toEqual({
      position: { x: -1.5, y: 5.5, z: 0, e: 3 },
      absolute: true,
      absolute_extrusion: false,
      units: 'mm',
      feed_rate: 1500,
      tool: 'T1',
      hotend: 205,
      bed: 60,
      fan: 255,
      spindle: null,
    });
    expect(told('G20 G91', 'G1 X1 Y1', 'X1', 'G92 X0', 'M3 S8000')).toMatchObject({
      position: { x: 0, y: 1 },
      absolute: false,
      units: 'inch',
      spindle: 8000,
    });
  });

  test('is that of the lines up to one, and nothing where the file is gone', async () => {
    const file = join(folder, 'program');
    writeFileSync(file, '; a comment\nG1 X1\nG1 X2\nG1 X3\n');
    expect(await machineAt(file, 3)).toMatchObject({ position: { x: 2 } });
    expect(await machineAt(file, 0)).toMatchObject({ position: {} });
    expect(await machineAt(join(folder, 'nothing'), 3)).toBeNull();
  });
});

describe('The note of a job', () => {
  const at = (acknowledgedLine: number) => ({
    acknowledgedLine,
    acknowledgedLines: acknowledgedLine,
    acknowledgedBytes: acknowledgedLine * 20,
    sentLines: acknowledgedLine + 4,
  });

  test('says how far it is at any moment, and its end of the attempt that it is of', () => {
    expect(readNote(join(folder, 'never'))).toBeUndefined();
    const place = join(folder, 'job');
    const first = beginNote(place, 1, at(0));
    expect(readNote(place)).toEqual({ attempt: 1, progress: at(0), end: undefined });
    for (let line = 1; line <= 1_000; line++) first.progress(at(line));
    expect(readNote(place)).toEqual({ attempt: 1, progress: at(1_000), end: undefined });
    expect(readFileSync(join(place, 'note'))).toHaveLength(512);
    const end = { kind: 'failed' as const, progress: at(1_000), reason: 'no' };
    first.end(end);
    first.progress(at(1_001)); // after its end nothing is written
    expect(readNote(place)).toEqual({ attempt: 1, progress: at(1_000), end });
    beginNote(place, 2, at(1_000)).progress(at(1_001));
    expect(readNote(place)).toEqual({ attempt: 2, progress: at(1_001), end: undefined });
  });

  test('that cannot be read is of an attempt that was begun; one without a byte is of none', () => {
    const place = join(folder, 'odd');
    beginNote(place, 1, at(0));
    writeFileSync(join(place, 'note'), `\0\0${' '.repeat(510)}`);
    expect(readNote(place)).toMatchObject({ attempt: undefined, end: undefined });
    writeFileSync(join(place, 'note'), '');
    expect(readNote(place)).toBeUndefined();
  });
});

test('A file is what its name says, and is called what cards and devices take', () => {
  expect(['a.gcode', 'b.NC', 'c.hex', 'd.bin', 'e.txt', 'f'].map(kindOfName)).toEqual([
    'gcode',
    'gcode',
    'firmware',
    'firmware',
    'file',
    'file',
  ]);
  expect(['Benchy 0.2mm.gcode', 'ä.gcode', 'part.g', 'x'].map(cardName)).toEqual([
    'BENCHY02.GCO',
    'FILE.GCO',
    'PART.G',
    'X.GCO',
  ]);
  expect(['../../etc/passwd', 'C:\\x\\part.gcode', 'a\nb<c>.gcode', ''].map(plainName)).toEqual([
    'passwd',
    'part.gcode',
    'a_b_c_.gcode',
    'file',
  ]);
});
