/** A segment begins with a letter or digit, so that none is `.`, `..` or hidden. */
const SEGMENT = '[A-Za-z0-9][A-Za-z0-9._-]{0,199}';
const key = new RegExp(`^${SEGMENT}(/${SEGMENT}){0,7}$`);
const prefix = new RegExp(`^(${SEGMENT}/){0,7}$`);

/** Keys are made by the server; one that leads out of the store cannot be written. @throws on any other. */
export function requireKey(value: string): string {
  if (!key.test(value)) throw new Error(`${JSON.stringify(value)} is not the key of a blob`);
  return value;
}

export function requirePrefix(value: string): string {
  if (!prefix.test(value)) throw new Error(`${JSON.stringify(value)} is not a prefix of whole segments`);
  return value;
}
