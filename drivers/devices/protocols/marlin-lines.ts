import { checksumOf } from '../gcode/lines.ts';
import type { Identity, Reading } from './port.ts';

/** What a line of a Marlin-like firmware means. Source: the RepRap wiki, "G-code: Replies from the RepRap machine". */
export type MarlinLine =
  | { kind: 'ok'; number?: number; rest: string }
  | { kind: 'resend'; number: number }
  | { kind: 'busy'; what: string }
  /** It has nothing to do. */
  | { kind: 'wait' }
  | { kind: 'start' }
  | { kind: 'temperatures'; readings: Reading[] }
  | { kind: 'position'; readings: Reading[] }
  | { kind: 'error'; text: string }
  | { kind: 'text' };

export function readMarlinLine(line: string): MarlinLine {
  if (line.startsWith('ok') && (line.length === 2 || line[2] === ' ')) {
    const number = /^ok N(\d+)/.exec(line)?.[1];
    return {
      kind: 'ok',
      ...(number === undefined ? {} : { number: Number(number) }),
      rest: line
        .slice(2)
        .replace(/^ N\d+( P\d+)?( B\d+)?/, '')
        .trim(),
    };
  }
  const resend = /^(?:Resend|rs)[: ]\s*N?:?\s*(\d+)/i.exec(line)?.[1];
  if (resend !== undefined) return { kind: 'resend', number: Number(resend) };
  const busy = /^(?:echo:\s*)?busy:\s*(.*)$/.exec(line)?.[1];
  if (busy !== undefined) return { kind: 'busy', what: busy };
  if (line === 'wait') return { kind: 'wait' };
  if (line === 'start') return { kind: 'start' };
  if (/^(Error:|!!)/i.test(line)) return { kind: 'error', text: line.replace(/^(Error:|!!)\s*/i, '') };
  const temperatures = readTemperatures(line);
  if (temperatures.length > 0) return { kind: 'temperatures', readings: temperatures };
  const position = readPosition(line);
  return position.length > 0 ? { kind: 'position', readings: position } : { kind: 'text' };
}

/** `X:10.00 Y:5.00 Z:0.30 E:1.20 Count X:800 Y:400 Z:120`, as M114 and M154 have it: where the tool is, in mm. Empty for any other line. */
export function readPosition(line: string): Reading[] {
  if (!/^X:\s*-?\d+(\.\d+)? Y:/.test(line)) return [];
  const [told = ''] = line.split(' Count');
  return [...told.matchAll(/([A-Z]):\s*(-?\d+(?:\.\d+)?)/g)].map(([, name = '', value]) => ({
    name,
    value: Number(value),
  }));
}

/** `T:201.3 /200.0 B:60.1 /60.0 @:64`: of nozzles, bed and chamber. Empty for any other line. */
export function readTemperatures(line: string): Reading[] {
  if (!/^\s*(ok\s+)?[TBC]\d?:/.test(line)) return [];
  return [...line.matchAll(/([TBC]\d?):\s*(-?\d+(?:\.\d+)?)(?:\s*\/\s*(-?\d+(?:\.\d+)?))?/g)].map(
    ([, name = '', value, target]) => ({
      name,
      value: Number(value),
      ...(target === undefined ? {} : { target: Number(target) }),
    }),
  );
}

/** What M115 says: `KEY:value KEY:value`, whose values hold blanks, and `Cap:NAME:1`. */
export function readIdentity(lines: readonly string[]): Identity {
  const details: Record<string, string> = {};
  for (const line of lines) {
    const capability = /^Cap:([A-Z0-9_]+):(\d)/.exec(line);
    if (capability) details[`Cap:${capability[1]}`] = capability[2] ?? '';
    else
      for (const [, key = '', value = ''] of line.matchAll(
        /([A-Z][A-Z0-9_]+):(.*?)(?=\s+[A-Z][A-Z0-9_]+:|$)/g,
      ))
        details[key] = value.trim();
  }
  const [, name, version] = /^(.*?)\s*[vV]?(\d+\.\S*)/.exec(details.FIRMWARE_NAME ?? '') ?? [];
  const firmwareName = name || details.FIRMWARE_NAME;
  const firmwareVersion = version ?? details.FIRMWARE_VERSION;
  return {
    ...(firmwareName ? { firmwareName } : {}),
    ...(firmwareVersion ? { firmwareVersion } : {}),
    details,
  };
}

/** With number and checksum (the exclusive or of all characters before `*`), as the firmware checks them. */
export function numbered(number: number, text: string): string {
  const line = `N${number} ${text}`;
  return `${line}*${checksumOf(line)}\n`;
}
