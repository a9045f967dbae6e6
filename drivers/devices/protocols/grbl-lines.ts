import { grblAlarms, grblErrors } from './grbl-meanings.ts';
import type { Reading } from './port.ts';

/** What a line of GRBL 1.1 means. Source: its wiki, "Interface". */
export type GrblLine =
  | { kind: 'ok' }
  | { kind: 'error'; message: string }
  | { kind: 'alarm'; message: string }
  | { kind: 'status'; state: string; readings: Reading[]; buffer?: { planned: number; bytes: number } }
  | { kind: 'welcome'; version: string }
  | { kind: 'text' };

export function readGrblLine(line: string): GrblLine {
  if (line === 'ok') return { kind: 'ok' };
  const [, word, number] = /^(error|ALARM):\s*(\d+)/i.exec(line) ?? [];
  if (word?.toLowerCase() === 'error')
    return { kind: 'error', message: `error:${number}: ${grblErrors[Number(number)] ?? 'not in its table'}` };
  if (word)
    return { kind: 'alarm', message: `ALARM:${number}: ${grblAlarms[Number(number)] ?? 'not in its table'}` };
  const version = /^Grbl(?:HAL)?\s+v?(\d\S*)/i.exec(line)?.[1];
  if (version !== undefined) return { kind: 'welcome', version };
  const status = /^<(.*)>$/.exec(line)?.[1];
  return status === undefined ? { kind: 'text' } : readStatus(status);
}

const AXES = ['x', 'y', 'z', 'a', 'b', 'c'];

function readStatus(text: string): GrblLine {
  const [state = '', ...fields] = text.split('|');
  const readings: Reading[] = [];
  let buffer: { planned: number; bytes: number } | undefined;
  for (const field of fields) {
    const [key = '', values = ''] = field.split(':', 2);
    const numbers = values.split(',').map(Number);
    if (numbers.some((number) => !Number.isFinite(number))) continue;
    const [first = 0, second = 0] = numbers;
    if (['MPos', 'WPos', 'WCO'].includes(key))
      for (const [index, value] of numbers.entries()) readings.push({ name: `${key}.${AXES[index]}`, value });
    else if (key === 'Bf') buffer = { planned: first, bytes: second };
    else if (key === 'FS') readings.push({ name: 'feed', value: first }, { name: 'spindle', value: second });
    else if (key === 'F') readings.push({ name: 'feed', value: first });
  }
  return { kind: 'status', state, readings, ...(buffer ? { buffer } : {}) };
}
