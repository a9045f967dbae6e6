import type { Identity, Reading } from './port.ts';

/** What devices say in JSON: yes, no, and numbers. */

/** The object in a text, if it is one. */
export function objectIn(text: string): Record<string, unknown> | undefined {
  const value = jsonIn(text);
  // A map from whatever the device says; each value is looked at before it is used.
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

/** @returns undefined for what is not JSON: noise, or half a message */
export function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const saysNo = (said: Record<string, unknown>): boolean => said.ok === false || 'error' in said;

/** Of one message. */
const READINGS = 200;
const DEPTH = 5;
const NAME = 100;

/** Numbers, and true and false as 1 and 0, by their path: `bed.temperature`. */
export function readingsIn(value: unknown, name = ''): Reading[] {
  const found: Reading[] = [];
  const visit = (each: unknown, path: string, depth: number): void => {
    if (found.length >= READINGS || depth > DEPTH) return;
    if (typeof each === 'number' || typeof each === 'boolean') {
      if (Number.isFinite(Number(each)) && path !== '')
        found.push({ name: path.slice(0, NAME), value: Number(each) });
    } else if (typeof each === 'object' && each !== null)
      for (const [key, inner] of Object.entries(each))
        visit(inner, path === '' ? key : `${path}.${key}`, depth + 1);
  };
  visit(value, name, 0);
  return found;
}

/** What is at a JSON pointer (RFC 6901); undefined when there is nothing. */
export function at(value: unknown, pointer: string): unknown {
  let here = value;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, key)) return undefined;
    here = (here as Record<string, unknown>)[key]; // its own key: just asked
  }
  return here;
}

/** Who a device says it is, at JSON pointers of the configuration. */
export function identityIn(said: unknown, at: { name?: string; version?: string }): Identity {
  const firmwareName = textAt(said, at.name);
  const firmwareVersion = textAt(said, at.version);
  return {
    ...(firmwareName === undefined ? {} : { firmwareName }),
    ...(firmwareVersion === undefined ? {} : { firmwareVersion }),
    details: {},
  };
}

function textAt(value: unknown, pointer: string | undefined): string | undefined {
  const found = pointer === undefined ? undefined : at(value, pointer);
  return typeof found === 'string' || typeof found === 'number' ? String(found).slice(0, 200) : undefined;
}
