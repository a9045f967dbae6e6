import type { InputProblem } from '../errors.ts';
import { pointer } from '../pointer.ts';
import type { Json } from '../wire.ts';
import { isObject, show } from './json.ts';

/** An event of CloudEvents 1.0.2 as JSON: attributes, extensions and data side by side. */
export interface WorkflowEvent {
  specversion: '1.0';
  id: string;
  source: string;
  type: string;
  [attribute: string]: Json;
}

/** One event as JSON, whoever sends it. */
export const EVENT_LIMIT_BYTES = 256 * 1024;

/** Attributes of an event besides its data. */
const ATTRIBUTES_LIMIT = 50;
const NAME_LIMIT = 50;
const TEXT_LIMIT = 1_024;
const ID_LIMIT = 256;

/** RFC 3986 without its grammar: what may stand in a URI reference at all. */
const uriReference = /^[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]+$/;
const absoluteUri = /^[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]+$/;
const mediaType = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(\s*;.*)?$/;
const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

const isTime = (text: string) => rfc3339.test(text) && !Number.isNaN(Date.parse(text));

/** What each attribute of the specification must be, as people are told. */
const standard: Readonly<Record<string, { fits(text: string): boolean; wanted: string }>> = {
  specversion: { fits: (text) => text === '1.0', wanted: '"1.0"' },
  id: { fits: (text) => text.length <= ID_LIMIT, wanted: `text of at most ${ID_LIMIT} characters` },
  source: { fits: (text) => uriReference.test(text), wanted: 'a URI reference such as /orders' },
  type: { fits: () => true, wanted: 'text' },
  subject: { fits: () => true, wanted: 'text' },
  time: { fits: isTime, wanted: 'a time of RFC 3339 such as 2026-11-21T09:30:00Z' },
  datacontenttype: { fits: (text) => mediaType.test(text), wanted: 'a media type such as application/json' },
  dataschema: { fits: (text) => absoluteUri.test(text), wanted: 'an absolute URI' },
};

const dataFields = ['data', 'data_base64'];
const required = ['specversion', 'id', 'source', 'type'];

/** What is wrong with the name of an attribute: extensions have names of CloudEvents 1.0.2, 3.1. */
export function attributeNameProblem(name: string): string | undefined {
  if (/^[a-z0-9]+$/.test(name) && name.length <= NAME_LIMIT) return undefined;
  return `is no attribute's name: at most ${NAME_LIMIT} lower-case letters and digits, found ${show(name)}`;
}

/** What is wrong with the value of an attribute; values are text, booleans and 32-bit integers. */
export function attributeProblem(name: string, value: unknown): string | undefined {
  const known = Object.hasOwn(standard, name) ? standard[name] : undefined;
  if (typeof value === 'string') {
    if (value === '') return 'must not be empty';
    if (value.length > TEXT_LIMIT) return `must have at most ${TEXT_LIMIT} characters, found ${value.length}`;
    return known && !known.fits(value) ? `must be ${known.wanted}, found ${show(value)}` : undefined;
  }
  if (known) return `must be ${known.wanted}, found ${show(value)}`;
  if (typeof value === 'boolean' || isInt32(value)) return undefined;
  return `must be text, a boolean or an integer of 32 bits, found ${show(value)}`;
}

const isInt32 = (value: unknown) => typeof value === 'number' && (value | 0) === value;

/** Everything that is wrong with an event, at its JSON pointers. */
export function eventProblems(event: unknown): InputProblem[] {
  if (!isObject(event)) return [{ path: '', message: `must be an event as an object, found ${show(event)}` }];
  const names = Object.keys(event).filter((name) => !dataFields.includes(name));
  if (names.length > ATTRIBUTES_LIMIT)
    return [{ path: '', message: `has ${names.length} attributes; ${ATTRIBUTES_LIMIT} is the limit` }];
  const found = required
    .filter((name) => !Object.hasOwn(event, name))
    .map((name) => ({ path: pointer('', name), message: `\`${name}\` is missing` }));
  for (const name of names) {
    const message = attributeNameProblem(name) ?? attributeProblem(name, event[name]);
    if (message !== undefined) found.push({ path: pointer('', name), message });
  }
  const { data_base64: binary } = event;
  if (binary !== undefined && 'data' in event)
    found.push({ path: '/data_base64', message: 'stands beside `data`: an event has one of them' });
  if (binary !== undefined && (typeof binary !== 'string' || !isBase64(binary)))
    found.push({ path: '/data_base64', message: 'must be Base64 (RFC 4648, 4)' });
  return found;
}

const isBase64 = (text: string) => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);

/** An event without attributes that are null: in JSON that is how one that is not there may be written. */
export const withoutNulls = (event: Readonly<Record<string, Json>>): Record<string, Json> =>
  Object.fromEntries(Object.entries(event).filter(([name, value]) => value !== null || name === 'data'));
