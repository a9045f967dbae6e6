import type { InputProblem } from '../errors.ts';
import { pointer } from '../pointer.ts';
import { standardCalls } from './dsl/standard-calls.ts';
import type { Use } from './dsl/use.ts';
import type { Document } from './dsl.ts';
import { isObject } from './json.ts';
import { writeLoose } from './loose.ts';
import { didYouMean } from './nearest.ts';
import { maxBytes } from './plain.ts';
import {
  functionKey,
  inSource,
  isOutside,
  type Sources,
  sourceOrigin,
  type WantedSource,
  wantedFunction,
  wantedSchema,
} from './sources.ts';
import { withSecretsOf } from './use/secret-names.ts';
import { sites } from './use/sites.ts';

/** Parts of `use` whose values stand in the places that name them. */
export type Kind = Exclude<keyof Use, 'secrets' | 'extensions' | 'catalogs'>;

export interface WrittenOut<Value> {
  /** A copy with what is named in the place of its name. */
  value: Value;
  /** The pointers of those places, and of what stands there now: `/use/retries/often`. */
  origins: Map<string, string>;
  problems: InputProblem[];
  /** What stands here and came from elsewhere: by its origin, where it is named and its address. */
  outside: Map<string, { at: string; uri: string }>;
  /** What is elsewhere and was not given; in its place stands its name. */
  wanted: WantedSource[];
}

/**
 * Puts what `use` has (authentications, errors, functions, retries, timeouts) in the places that name it, so that
 * whoever checks or runs tasks need not know of names. A function stands in the task that calls it, as `function`.
 * What names a secret becomes expressions on it. It takes JSON that nobody has checked. What is elsewhere (functions by
 * their URLs or of catalogs, schemas) comes from `sources`; in a function from elsewhere names of `use` mean nothing.
 * @param root the pointer of its list of tasks
 */
export function writeOut<Value extends { do?: unknown; use?: unknown }>(
  given: Value,
  use: unknown,
  root = '/do',
  sources: Sources = {},
): WrittenOut<Value> {
  const origins = new Map<string, string>();
  const problems: InputProblem[] = [];
  const cycles = new Set<string>();
  const sizes = new Map<string, number>();
  let written = 0;
  const outside: WrittenOut<Value>['outside'] = new Map();
  const wanted = new Map<string, WantedSource>();
  const value = copyOf(given);

  /** What is elsewhere, if it was given; else it is wanted, or wrong. */
  function found(what: ReturnType<typeof wantedFunction>, site: string, at: string): unknown {
    if ('problem' in what) return void problems.push({ path: at, message: what.problem });
    const source = Object.hasOwn(sources, what.key) ? sources[what.key] : undefined;
    if (!source) {
      if (!wanted.has(what.key)) wanted.set(what.key, { ...what, at });
      return undefined;
    }
    const origin = sourceOrigin(site);
    outside.set(origin, { at, uri: source.uri });
    origins.set(site, origin);
    return source.value;
  }

  const visitor = {
    policy: (policy: Record<string, unknown>, path: string) =>
      void problems.push(...withSecretsOf(policy, path, origins)),
    forged: (path: string) => void problems.push({ path, message: 'unknown key `function`' }),
    resource(schema: Record<string, unknown>, path: string): void {
      if (Object.hasOwn(schema, 'document') || !isObject(schema.resource)) return; // it is said to be one too many
      const what = wantedSchema(schema.resource);
      if ('problem' in what) return; // who checks schemas says it
      const document = found(what, pointer(path, 'document'), pointer(path, 'resource'));
      if (document === undefined) return;
      written += JSON.stringify(document).length;
      delete schema.resource;
      schema.document = copyOf(document);
    },
  };
  for (const { path, kind, name, within, replace, at = path } of sites(value, root, visitor)) {
    const isInside = within.some((outer) => isOutside(outer) && !isNamed(use, 'functions', outer));
    const all = !isInside && isObject(use) && isObject(use[kind]) ? use[kind] : {};
    const isElsewhere = kind === 'functions' && !Object.hasOwn(all, name) && isOutside(name);
    if (!isElsewhere && !Object.hasOwn(all, name)) {
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
    const named = isElsewhere ? found(wantedFunction(name, use), path, at) : all[name];
    if (named === undefined) continue;
    const origin = isElsewhere ? functionKey(name) : pointer('/use', kind, name);
    const size = sizes.get(origin) ?? JSON.stringify(named).length;
    sizes.set(origin, size);
    written += size;
    if (written > maxBytes) {
      problems.push({
        path: at,
        message: `what is named up to here has more than ${maxBytes / 1024} KiB of JSON`,
      });
      break;
    }
    if (!isElsewhere) origins.set(path, origin);
    replace(copyOf(named));
  }
  return { value, origins, problems, outside, wanted: [...wanted.values()] };
}

const isNamed = (use: unknown, kind: Kind, name: string): boolean =>
  isObject(use) && isObject(use[kind]) && Object.hasOwn(use[kind], name);

const maxDepth = 32;

const copyOf = <Value>(value: Value): Value => JSON.parse(JSON.stringify(value)) as Value; // JSON

/** A document that was checked as it runs. */
export function asItRuns(document: Document): Document {
  const { value } = writeOut(document, document.use, '/do', document.sources);
  writeLoose(value, document.loose ?? []);
  return value;
}

/** Where what stands at a place was sent. */
export function sentPath(path: string, origins: ReadonlyMap<string, string>): string {
  let [best, origin] = ['', ''];
  for (const [site, from] of origins)
    if (site.length > best.length && (path === site || path.startsWith(`${site}/`)))
      [best, origin] = [site, from];
  return best === '' ? path : sentPath(`${origin}${path.slice(best.length)}`, origins);
}

/** Where people find it, and what is said of it there; what is elsewhere is found where it is named. */
export function sentProblem(
  { path, message }: InputProblem,
  out: Pick<WrittenOut<unknown>, 'origins' | 'outside'>,
): InputProblem {
  const sent = sentPath(path, out.origins);
  const [, origin = '', below = ''] = /^(~source\/[^/]*)(.*)$/s.exec(sent) ?? [];
  const source = out.outside.get(origin);
  if (!source) return { path: sent, message };
  return sentProblem({ path: source.at, message: inSource(source.uri, below, message) }, out);
}

/** Whether it stands in a function from elsewhere. */
export const isInSource = (path: string, origins: ReadonlyMap<string, string>): boolean =>
  sentPath(path, origins).startsWith('~source/');

/** What is wrong with what was written out, where it was sent: once, though several places name it. */
export function asNamed(
  found: readonly InputProblem[],
  { origins, problems, outside }: Pick<WrittenOut<unknown>, 'origins' | 'problems' | 'outside'>,
): InputProblem[] {
  // A name that stands there still is no mistake of another kind.
  const isNowhere = new Set(problems.map(({ path }) => path));
  const all = [...problems, ...found.filter(({ path }) => !isNowhere.has(path))].map((problem) =>
    sentProblem(problem, { origins, outside }),
  );
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
