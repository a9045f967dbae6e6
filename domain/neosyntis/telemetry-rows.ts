import type { Reading } from './telemetry.ts';
import {
  AHEAD_DAYS,
  DAY_US,
  LARGEST,
  METRIC_PATTERN,
  OLDEST_DAYS,
  REFERENCE_PATTERN,
  SMALLEST,
  TAG_LENGTH,
  TAG_PATTERN,
  TAGS,
} from './telemetry-limits.ts';
import { microsOf } from './telemetry-time.ts';

const metricName = new RegExp(METRIC_PATTERN);
const reference = new RegExp(REFERENCE_PATTERN);
const tagName = new RegExp(TAG_PATTERN);
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const fields = new Set([
  'timestamp',
  'metric_name',
  'value',
  'workflow_id',
  'dataset_id',
  'device_id',
  'tags',
]);

const noTags: Reading['tags'] = [];

/** What a row is checked against: readings are neither older nor younger. Microseconds since 1970. */
export interface Window {
  fromUs: number;
  toUs: number;
}

export const windowAt = (nowMs: number): Window => ({
  fromUs: nowMs * 1_000 - OLDEST_DAYS * DAY_US,
  toUs: nowMs * 1_000 + AHEAD_DAYS * DAY_US,
});

/** A reading of what came as JSON, or what is wrong with it. One look a row: there are tens of thousands a second. */
export function readingOf(row: unknown, window: Window): Reading | string {
  if (row === null || typeof row !== 'object' || Array.isArray(row))
    return 'a reading is an object with timestamp, metric_name and value';
  for (const name in row)
    if (!fields.has(name)) return `unknown field ${shown(name)}; known here: ${[...fields].join(', ')}`;
  const { timestamp, metric_name, value, workflow_id, dataset_id, device_id, tags } = row as Record<
    string,
    unknown
  >; // an object: looked at below
  const atUs = timeFrom(timestamp);
  if (typeof atUs === 'string') return atUs;
  if (value === undefined) return '"value" is missing';
  if (typeof value !== 'number') return `value is ${shown(value)}, not a number`;
  const read = tagsOf(tags);
  if (typeof read === 'string') return read;
  return checked(
    {
      atUs,
      metric: metric_name as string, // checked in the next line
      value,
      workflowId: (workflow_id ?? null) as string | null,
      datasetId: (dataset_id ?? null) as string | null,
      deviceId: (device_id ?? null) as string | null,
      tags: read,
    },
    window,
  );
}

/** The reading, or what is wrong with its parts, whichever way it came. */
export function checked(reading: Reading, window: Window): Reading | string {
  const { atUs, metric, value, workflowId, datasetId, deviceId } = reading;
  if (typeof metric !== 'string')
    return metric === undefined ? '"metric_name" is missing' : `metric_name is ${shown(metric)}, not a text`;
  if (!metricName.test(metric))
    return `metric_name is ${shown(metric)}: it begins with a letter and has letters, digits and _ . : / % - only, 200 at most`;
  if (!Number.isFinite(value)) return `value is ${String(value)}, not a finite number`;
  const size = Math.abs(value);
  if (size > LARGEST || (size < SMALLEST && size !== 0))
    return `value is ${value}: it has to be 0 or between ${SMALLEST} and ${LARGEST}, of either sign`;
  if (workflowId !== null && !(typeof workflowId === 'string' && uuid.test(workflowId)))
    return `workflow_id is ${shown(workflowId)}, not a UUID`;
  if (datasetId !== null && !isReference(datasetId)) return wrongReference('dataset_id', datasetId);
  if (deviceId !== null && !isReference(deviceId)) return wrongReference('device_id', deviceId);
  if (atUs < window.fromUs) return `timestamp is more than ${OLDEST_DAYS} days ago`;
  if (atUs > window.toUs) return `timestamp is more than ${AHEAD_DAYS} day ahead of this server's clock`;
  // As PostgreSQL shows it: in capitals it would be another series.
  return workflowId === null ? reading : { ...reading, workflowId: workflowId.toLowerCase() };
}

function timeFrom(timestamp: unknown): number | string {
  if (typeof timestamp === 'string') {
    const us = microsOf(timestamp);
    return Number.isNaN(us)
      ? `timestamp is ${shown(timestamp)}, not a time such as 2026-11-21T09:30:00.000Z`
      : us;
  }
  if (typeof timestamp === 'number' && Number.isFinite(timestamp)) return Math.round(timestamp * 1_000);
  return timestamp === undefined ? '"timestamp" is missing' : `timestamp is ${shown(timestamp)}, not a time`;
}

/** Tags by name, in order, or what is wrong with them. */
export function tagsOf(tags: unknown): Reading['tags'] | string {
  if (tags === undefined || tags === null) return noTags;
  if (typeof tags !== 'object' || Array.isArray(tags)) return 'tags is an object of texts';
  const entries = Object.entries(tags);
  if (entries.length > TAGS) return `there are ${entries.length} tags; ${TAGS} are the most`;
  for (const [name, value] of entries) {
    if (!tagName.test(name))
      return `the tag ${shown(name)} begins with no letter, or has more than letters, digits and _ . -, or than 64 of them`;
    if (typeof value !== 'string' || value === '' || value.length > TAG_LENGTH)
      return `the tag ${name} is ${shown(value)}, not a text of 1 to ${TAG_LENGTH} characters`;
    if (value.includes('\0') || !value.isWellFormed())
      return `the tag ${name} holds NUL or half of a surrogate pair`;
  }
  return entries.sort(([a], [b]) => (a < b ? -1 : 1));
}

const isReference = (value: unknown): value is string => typeof value === 'string' && reference.test(value);

const wrongReference = (name: string, value: unknown): string =>
  `${name} is ${shown(value)}: it begins with a letter or digit and has letters, digits and _ . : / - only, 128 at most`;

/** As people see it, and no longer than they want to. */
function shown(value: unknown): string {
  const text =
    typeof value === 'object' && value !== null
      ? Array.isArray(value)
        ? 'a list'
        : 'an object'
      : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
