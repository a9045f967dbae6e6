import type { Reading } from '../protocols/port.ts';
import { jsonIn, readingsIn } from '../protocols/said.ts';

/** Whether a topic is one of a filter's (MQTT 3.1.1, 4.7.1). */
export function matches(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const levels = topic.split('/');
  for (const [index, level] of wanted.entries()) {
    if (level === '#') return true; // its parent level too: a/# is a, a/b, a/b/c
    if (index >= levels.length || (level !== '+' && level !== levels[index])) return false;
  }
  return wanted.length === levels.length;
}

/**
 * The numbers of a message. They are named by what the wildcards of the filter stand for, and by the message's own
 * keys: `oven/telemetry/bed {"now":60}` for `oven/telemetry/#` is `bed.now`.
 */
export function telemetryOf(filter: string, topic: string, payload: string): Reading[] {
  const fixed = filter.split('/').findIndex((level) => level === '+' || level === '#');
  const levels = topic.split('/');
  const name = (fixed === -1 ? [] : levels.slice(fixed)).join('.');
  const value = jsonIn(payload.trim());
  const isObject = typeof value === 'object' && value !== null;
  return readingsIn(value, name !== '' || isObject ? name : levels.at(-1));
}
