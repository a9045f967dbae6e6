import type { World } from './device.ts';
import type { GrblMachine } from './grbl.ts';

const SETTINGS = new Map([
  [0, '10'],
  [1, '25'],
  [10, '3'],
  [20, '0'],
  [21, '0'],
  [22, '1'],
  [110, '500.000'],
  [111, '500.000'],
  [112, '500.000'],
  [130, '200.000'],
  [131, '200.000'],
  [132, '200.000'],
]);
/** More than that is an overflow (LINE_BUFFER_SIZE). */
const LINE_LIMIT = 80;

/** What a controller does with a line. @returns its `ok` or `error:N`; nothing when it has come to an end. */
export function createGrblLines(machine: GrblMachine, { say }: World) {
  const settings = new Map(SETTINGS);
  const told = (text: string): 'ok' => {
    say(`${text}\r\n`);
    return 'ok';
  };

  function system(line: string): string {
    const set = /^\$(\d+)=([\d.]+)$/.exec(line);
    if (set) {
      const [, key = '', value = ''] = set;
      if (!settings.has(Number(key))) return 'error:3';
      settings.set(Number(key), value);
      return 'ok';
    }
    switch (line) {
      case '$':
        return told('[HLP:$$ $# $G $I $N $x=val $Nx=line $J=line $SLP $C $X $H ~ ! ? ctrl-x]');
      case '$$':
        for (const [key, value] of settings) say(`$${key}=${value}\r\n`);
        return 'ok';
      case '$I':
        return told('[VER:1.1h.20190825:simulated]\r\n[OPT:V,15,128]');
      case '$G':
        return told('[GC:G0 G54 G17 G21 G90 G94 M5 M9 T0 F0 S0]');
      case '$X':
        machine.isLocked = false;
        if (machine.state !== 'Alarm') return 'ok';
        machine.state = 'Idle';
        return told('[MSG:Caution: Unlocked]');
      case '$H':
        machine.isLocked = false;
        machine.state = 'Idle';
        machine.position = [0, 0, 0];
        return 'ok';
      case '$C':
        machine.state = machine.state === 'Check' ? 'Idle' : 'Check';
        return told(machine.state === 'Check' ? '[MSG:Enabled]' : '[MSG:Disabled]');
      default:
        return 'error:3';
    }
  }

  /** Where soft limits are on ($20), a motion beyond the travel of an axis ($130 to $132) ends all of them. */
  const isBeyond = (axis: number, to: number): boolean =>
    settings.get(20) === '1' && Math.abs(to) > Number(settings.get(130 + axis));

  function gcode(line: string): string | undefined {
    if (machine.state === 'Alarm') return 'error:9';
    const words = line.replace(/\s+/g, '');
    if (!/^([A-Z][-+]?[\d.]+)+$/i.test(words)) return /^[A-Z]/i.test(words) ? 'error:2' : 'error:1';
    for (const [, letter = '', number = ''] of words.matchAll(/([A-Z])([-+]?[\d.]+)/gi)) {
      const code = `${letter.toUpperCase()}${Number(number)}`;
      if (/^[GM]/.test(code) && !KNOWN.test(code)) return 'error:20';
      const axis = 'XYZ'.indexOf(letter.toUpperCase());
      if (axis !== -1 && isBeyond(axis, Number(number))) {
        machine.state = 'Alarm';
        machine.isStuck = true;
        machine.isLocked = true;
        say('ALARM:2\r\n[MSG:Reset to continue]\r\n');
        return undefined;
      }
      if (axis !== -1) machine.position[axis] = Number(number);
      if (letter.toUpperCase() === 'F') machine.feed = Number(number);
    }
    return 'ok';
  }

  return {
    run(line: string): string | undefined {
      if (line.length > LINE_LIMIT) return 'error:11';
      if (line === '') return 'ok';
      return line.startsWith('$') ? system(line) : gcode(line);
    },
  };
}

const KNOWN =
  /^(G([0-4]|10|1[7-9]|2[018]|30|38\.[2-5]|4[03]\.?1?|49|5[3-9]|61|80|9[0-4]|92\.1)|M([0-5]|[789]|30))$/;
