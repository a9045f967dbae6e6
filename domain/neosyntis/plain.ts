import type { InputProblem } from '../errors.ts';
import { pointer } from '../pointer.ts';

export const maxBytes = 256 * 1024;
const maxDepth = 512;
const forbiddenKey = '__proto__';

/** Whether a definition is plain JSON, within its limits; only then is it safe to walk. */
export function plainProblems(value: unknown, root: string): InputProblem[] {
  const found: InputProblem[] = [];
  let values = 0;
  const visit = (item: unknown, path: string, depth: number): void => {
    values += 1;
    if (found.length >= 100 || values > maxBytes) return;
    const problem = scalarProblem(item);
    if (problem !== undefined) found.push({ path, message: problem });
    else if (depth > maxDepth) found.push({ path, message: `is nested more than ${maxDepth} levels deep` });
    else if (Array.isArray(item))
      for (let at = 0; at < item.length; at += 1) visit(item[at], pointer(path, at), depth + 1);
    else if (typeof item === 'object' && item !== null)
      for (const [key, inner] of Object.entries(item)) {
        if (key === forbiddenKey)
          found.push({ path: pointer(path, key), message: `\`${key}\` is not allowed as a key` });
        else visit(inner, pointer(path, key), depth + 1);
      }
  };
  visit(value, root, 0);
  if (found.length > 0) return found;
  const bytes = values > maxBytes ? Number.POSITIVE_INFINITY : utf8Length(JSON.stringify(value));
  return bytes <= maxBytes
    ? []
    : [
        {
          path: root,
          message: `is larger than ${maxBytes / 1024} KiB of JSON: move data to the workflow's input`,
        },
      ];
}

function scalarProblem(item: unknown): string | undefined {
  if (typeof item === 'number') return Number.isFinite(item) ? undefined : `${item} is not a JSON number`;
  if (['string', 'boolean'].includes(typeof item) || item === null) return undefined;
  if (typeof item !== 'object') return `${typeof item} is not JSON`;
  const prototype: unknown = Object.getPrototypeOf(item);
  const plain = Array.isArray(item) || prototype === null || Object.getPrototypeOf(prototype) === null;
  return plain ? undefined : 'must be plain JSON, found an object of a class';
}

const utf8Length = (text: string) => new TextEncoder().encode(text).length;
