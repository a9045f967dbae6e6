import { asSent } from './as-sent.ts';
import type { CheckOptions } from './definition.ts';
import type { Use } from './dsl/use.ts';
import type { Document, TaskList } from './dsl.ts';
import { extensionsOf, listsOf } from './extensions.ts';
import { type SecretMention, secretMentions } from './sealed.ts';
import type { Sources } from './sources.ts';
import { sentProblem, writeOut } from './use.ts';

/** Where steps that were checked name secrets: pointers into what was sent, short forms included. */
export const secretsOfSteps = (
  steps: unknown,
  list: TaskList,
  root: string,
  { use, sources }: Pick<CheckOptions, 'use' | 'sources'>,
): SecretMention[] =>
  secretsIn(list, use, root, sources).map(({ path, name }) => ({
    path: asSent(steps, { path, message: '' }, root).path,
    name,
  }));

/** Where a document that was checked names secrets. */
export const secretsOfDocument = ({ do: list, use, sources }: Document): SecretMention[] =>
  secretsIn(list, use, '/do', sources);

function secretsIn(
  list: TaskList,
  use: Use | undefined,
  root: string,
  sources: Sources | undefined,
): SecretMention[] {
  const out = writeOut({ do: list, use }, use, root, sources);
  const { value } = out;
  const lists = [{ path: root, tasks: value.do }, ...extensionsOf(value.use).flatMap(listsOf)];
  const all = lists
    .flatMap(({ path, tasks }) => secretMentions(tasks as TaskList, path)) // checked
    .map(({ path, name }) => ({ path: sentProblem({ path, message: '' }, out).path, name }));
  return [...new Map(all.map((mention) => [`${mention.path} ${mention.name}`, mention])).values()];
}
