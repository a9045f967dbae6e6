import type { Json } from '../wire.ts';
import type { Task } from './dsl.ts';
import { isExpression } from './expressions.ts';
import { verbs } from './verbs.ts';
import { isStdio } from './walk.ts';

/**
 * Whether having a step's effects twice is as having them once; nothing for tasks that have none outside of the run,
 * and where only the run can tell.
 */
export function isIdempotent(task: Task): boolean | undefined {
  if (!('run' in task) && !('call' in task)) return undefined;
  if (task.metadata?.idempotent === true) return true;
  if ('run' in task || isStdio(task)) return false;
  const verb = verbs.get(task.call);
  if (typeof verb?.idempotent !== 'function') return verb?.idempotent;
  const args = task.with ?? {};
  // What decides may be an expression still, or be found out only when the call is made.
  if (verb.prepares || isExpression(args.method)) return undefined;
  return verb.idempotent(args as Json, null); // what stands in a definition is JSON
}
