import { Value } from 'typebox/value';
import type { InputProblem } from '../errors.ts';
import type { Json } from '../wire.ts';
import { isExpression } from './expressions.ts';
import { schemaProblems } from './schema-problems.ts';
import type { Verb } from './verbs.ts';

/** What is wrong with a verb's arguments, of which those that are expressions are not judged yet. */
export function argumentProblems(verb: Verb, args: Record<string, unknown>): InputProblem[] {
  const refused = verb.refuse?.(args) ?? [];
  const covered = ({ path }: InputProblem) =>
    refused.some(
      (other) =>
        path === other.path ||
        path.startsWith(`${other.path}/`) ||
        path === other.path.slice(0, other.path.lastIndexOf('/')),
    );
  const broken = schemaProblems(verb.with, args, '', { accept: isExpression }).filter(
    (problem) => !covered(problem),
  );
  if (refused.length > 0 || broken.length > 0) return [...refused, ...broken];
  return verb.check?.(args) ?? [];
}

/** What is wrong with a verb's arguments once they are evaluated: the first thing, in words. */
export function verbProblem(verb: Verb, args: Json): string | undefined {
  const [broken] = Value.Errors(verb.with, args);
  if (broken) return `${broken.instancePath || 'with'} ${broken.message}`;
  const checked = args as Record<string, Json>; // the schema of every verb is an object
  const [problem] = [...(verb.refuse?.(checked) ?? []), ...(verb.check?.(checked) ?? [])];
  return problem && `${problem.path} ${problem.message}`;
}
