import type { InputProblem } from '../errors.ts';
import { pointer } from '../pointer.ts';

/** Problems inside a step that was sent as a string are problems of that string; the key is said in words. */
export function asSent(steps: unknown, { path, message }: InputProblem, root: string): InputProblem {
  const [at = '', , ...keys] = path.slice(root.length + 1).split('/');
  if (!Array.isArray(steps) || at === '' || typeof steps[Number(at)] !== 'string') return { path, message };
  const key = keys.filter((part) => part !== 'with').join('/');
  return { path: pointer(root, at), message: key === '' ? message : `\`${key}\`: ${message}` };
}
