import type { InputProblem } from '../errors.ts';
import { pointer } from '../pointer.ts';
import { standardCalls } from './dsl/standard-calls.ts';
import type { Use } from './dsl/use.ts';
import type { Document } from './dsl.ts';
import { isObject } from './json.ts';
import { didYouMean } from './nearest.ts';
import { maxBytes } from './plain.ts';
import { withSecretsOf } from './use/secret-names.ts';
import { sites } from './use/sites.ts';

/** Parts of `use` whose values stand in the places that name them. */
export type Kind = Exclude<keyof Use, 'secrets' | 'extensions'>;

export interface WrittenOut<Value> {
  /** A copy with what is named in the place of its name. */
  value: Value;
  /** The pointers of those places, and of what stands there now: `/use/retries/often`. */
  origins: Map<string, string>;
  problems: InputProblem[];
}

/**
 * Puts what `use` has (authentications, errors, functions, retries, timeouts) in the places that name it, so that
 * whoever checks or runs tasks need not know of names. A function stands in the task that calls it, as `function`.
 * What names a secret becomes expressions on it. It takes JSON that nobody has checked.
 * @param root the pointer of its list of tasks
 */
export function writeOut<Value extends { do?: unknown; use?: unknown }>(
  given: Value,
  use: unknown,
  root = '/do',
): WrittenOut<Value> {
  const origins = new Map<string, string>();
  const problems: InputProblem[] = [];
  const cycles = new Set<string>();
  const sizes = new Map<string, number>();
  let written = 0;
  const value = copyOf(given);
  const visitor = {
    policy: (policy: Record<string, unknown>, path: string) =>
      void problems.push(...withSecretsOf(policy, path, origins)),
    forged: (path: string) => void problems.push({ path, message: 'unknown key `function`' }),
  };
  for (const { path, kind, name, within, replace, at = path } of sites(value, root, visitor)) {
    const all = isObject(use) && isObject(use[kind]) ? use[kind] : {};
    if (!Object.hasOwn(all, name)) {
      if (kind === 'functions') continue; // it may be a verb
      const hint = didYouMean(name, Object.keys(all));
      problems.push({ path: at, message: `there is no \`use.${kind}.${name.slice(0, 100)}\`${hint}` });
      continue;
    }
    if (within.includes(name)) {
      const cycle = within.slice(within.indexOf(name));
      const key = [...cycle].sort().join('\n');
      const message = `calls itself without an end: ${[...cycle, name].map((one) => one.slice(0, 100)).join(' → ')}`;
      if (!cycles.has(key)) problems.push({ path: at, message });
      cycles.add(key);
      continue;
    }
    if (within.length >= maxDepth) {
      problems.push({ path: at, message: `functions call functions more than ${maxDepth} deep here` });
      continue;
    }
    const origin = pointer('/use', kind, name);
    const size = sizes.get(origin) ?? JSON.stringify(all[name]).length;
    sizes.set(origin, size);
    written += size;
    if (written > maxBytes) {
      problems.push({
        path: at,
        message: `what is named up to here has more than ${maxBytes / 1024} KiB of JSON`,
      });
      break;
    }
    origins.set(path, origin);
    replace(copyOf(all[name]));
  }
  return { value, origins, problems };
}

const maxDepth = 32;

const copyOf = <Value>(value: Value): Value => JSON.parse(JSON.stringify(value)) as Value; // JSON

/** A document that was checked as it runs. */
export const asItRuns = (document: Document): Document => writeOut(document, document.use).value;

/** Where what stands at a place was sent. */
export function sentPath(path: string, origins: ReadonlyMap<string, string>): string {
  let [best, origin] = ['', ''];
  for (const [site, from] of origins)
    if (site.length > best.length && (path === site || path.startsWith(`${site}/`)))
      [best, origin] = [site, from];
  return best === '' ? path : sentPath(`${origin}${path.slice(best.length)}`, origins);
}

/** What is wrong with what was written out, where it was sent: once, though several places name it. */
export function asNamed(
  found: readonly InputProblem[],
  { origins, problems }: Pick<WrittenOut<unknown>, 'origins' | 'problems'>,
): InputProblem[] {
  // A name that stands there still is no mistake of another kind.
  const isNowhere = new Set(problems.map(({ path }) => path));
  const all = [...problems, ...found.filter(({ path }) => !isNowhere.has(path))].map(({ path, message }) => ({
    path: sentPath(path, origins),
    message,
  }));
  return [...new Map(all.map((problem) => [`${problem.path} ${problem.message}`, problem])).values()];
}

/** For each kind a task that names such a value. */
const tasksWith: Record<Kind, (name: string) => object> = {
  authentications: (name) => ({
    call: 'http',
    with: { method: 'GET', endpoint: { uri: 'https://example.org', authentication: { use: name } } },
  }),
  errors: (name) => ({ raise: { error: name } }),
  functions: (name) => ({ call: name }),
  retries: (name) => ({ try: [{ idle: { set: { nothing: true } } }], catch: { retry: name } }),
  timeouts: (name) => ({ set: { nothing: true }, timeout: name }),
};

/** What `use` has and no part of a document names, each named by a task of its own: it is checked as if one did. */
export function unnamed(use: unknown, named: Iterable<string>): { kind: Kind; task: object }[] {
  const known = new Set(named);
  return (Object.keys(tasksWith) as Kind[]).flatMap(
    (
      kind, // the keys of that table
    ) =>
      (isObject(use) && isObject(use[kind]) ? Object.keys(use[kind]) : [])
        .filter((name) => kind !== 'functions' || !standardCalls.includes(name))
        .filter((name) => !known.has(pointer('/use', kind, name)))
        .map((name) => ({ kind, task: tasksWith[kind](name) })),
  );
}
