import type { Precision, Reading } from './telemetry.ts';
import { checked, tagsOf, type Window } from './telemetry-rows.ts';

/** What one line says: its readings, and what is wrong with it or with some of its fields. */
export interface Line {
  readings: Reading[];
  problems: string[];
}

/** Microseconds of one unit. */
const units: Record<Precision, number> = { ns: 0.001, us: 1, ms: 1_000, s: 1_000_000 };

const ids = new Map([
  ['workflow_id', 'workflowId'],
  ['dataset_id', 'datasetId'],
  ['device_id', 'deviceId'],
] as const);

/**
 * Reads a line of InfluxDB's line protocol (`weather,place=roof temp=21.5,humidity=60i 1774080000000000000`). Each
 * field is a reading named `measurement.field`; a field `value` is named as the measurement. Booleans are 1 and 0,
 * texts are refused. Tags named workflow_id, dataset_id and device_id are those ids.
 * @param nowUs what a line without a time has
 */
export function readLine(line: string, precision: Precision, nowUs: number, window: Window): Line {
  const refused = (problem: string): Line => ({ readings: [], problems: [problem] });
  const parts = splitUnescaped(line.trim(), ' ', 4).filter((part) => part !== '');
  const [series = '', fieldSet, time, more] = parts;
  if (fieldSet === undefined) return refused('there are no fields: write `measurement,tag=a field=1 time`');
  if (more !== undefined)
    return refused('there is more than a series, fields and a time: escape spaces by \\');
  const atUs = time === undefined ? nowUs : timeFrom(time, precision);
  if (atUs === undefined) return refused(`the time ${quoted(time)} is no whole number`);
  const [measurement = '', ...tagParts] = splitUnescaped(series, ',');
  if (measurement === '') return refused('the measurement has no name');
  const pairs: [string, string][] = [];
  for (const part of tagParts) {
    const pair = pairOf(part);
    if (!pair) return refused(`the tag ${quoted(part)} is not name=value`);
    pairs.push(pair);
  }
  if (new Set(pairs.map(([name]) => name)).size < pairs.length) return refused('a tag is there twice');
  const tags = tagsOf(Object.fromEntries(pairs.filter(([name]) => !ids.has(name as never))));
  if (typeof tags === 'string') return refused(tags);
  const named: Pick<Reading, 'workflowId' | 'datasetId' | 'deviceId'> = {
    workflowId: null,
    datasetId: null,
    deviceId: null,
  };
  for (const [name, value] of pairs) {
    const id = ids.get(name as never);
    if (id) named[id] = value;
  }
  const found: Line = { readings: [], problems: [] };
  for (const part of splitUnescaped(fieldSet, ',')) {
    const pair = pairOf(part);
    const value = pair ? numberFrom(pair[1]) : `the field ${quoted(part)} is not name=value`;
    const name = unescaped(measurement);
    const reading =
      pair && typeof value === 'number'
        ? checked(
            { atUs, metric: pair[0] === 'value' ? name : `${name}.${pair[0]}`, value, tags, ...named },
            window,
          )
        : `${pair ? `the field ${pair[0]} ` : ''}${value}`;
    if (typeof reading === 'string') found.problems.push(reading);
    else found.readings.push(reading);
  }
  return found;
}

/** Parts between the separators that stand neither behind a backslash nor between quotes; the last has the rest. */
function splitUnescaped(text: string, separator: string, most = Number.POSITIVE_INFINITY): string[] {
  const parts: string[] = [];
  let begin = 0;
  let isQuoted = false;
  for (let at = 0; at < text.length && parts.length < most - 1; at++) {
    const char = text[at];
    if (char === '\\') at++;
    // Only the value of a field is quoted.
    else if (char === '"' && (isQuoted || text[at - 1] === '=')) isQuoted = !isQuoted;
    else if (char === separator && !isQuoted) {
      parts.push(text.slice(begin, at));
      begin = at + 1;
    }
  }
  parts.push(text.slice(begin));
  return parts;
}

function pairOf(part: string): [string, string] | undefined {
  const [name = '', value = '', more] = splitUnescaped(part, '=', 3);
  return name === '' || value === '' || (more !== undefined && value[0] !== '"')
    ? undefined
    : [unescaped(name), unescaped(value)];
}

const unescaped = (text: string): string =>
  text.includes('\\') ? text.replaceAll(/\\([,= \\])/g, '$1') : text;

function timeFrom(text: string, precision: Precision): number | undefined {
  if (!/^-?\d{1,19}$/.test(text)) return undefined;
  // Nanoseconds have more digits than a number holds.
  return precision === 'ns' ? Number(BigInt(text) / 1_000n) : Math.round(Number(text) * units[precision]);
}

/** A float, an integer (`1i`, `1u`) or a boolean, as a number; or what it is instead. */
function numberFrom(text: string): number | string {
  if (/^(t|T|true|True|TRUE)$/.test(text)) return 1;
  if (/^(f|F|false|False|FALSE)$/.test(text)) return 0;
  if (/^[+-]?\d+i$|^\d+u$/.test(text)) return Number(text.slice(0, -1));
  if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return Number(text);
  return text.startsWith('"') ? 'is a text; readings are numbers' : `is ${quoted(text)}, not a number`;
}

const quoted = (text = ''): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}…` : text);
