import type { InputProblem } from '../errors.ts';
import { pointer } from '../pointer.ts';
import type { Use } from './dsl/use.ts';
import type { Document } from './dsl.ts';
import { extensionsOf, listsOf } from './extensions.ts';
import { isObject } from './json.ts';
import { didYouMean } from './nearest.ts';
import { maxBytes } from './plain.ts';

type Kind = Exclude<keyof Use, 'extensions'>;

/** A part of a document that names what `use` has. */
interface Site {
  /** Its pointer. */
  path: string;
  kind: Kind;
  name: string;
  /** Puts something in the name's place. */
  replace(value: unknown): void;
}

export interface WrittenOut<Value> {
  /** A copy with what is named in the place of its name. */
  value: Value;
  /** The pointers of those places, and of what stands there now: `/use/retries/often`. */
  origins: Map<string, string>;
  problems: InputProblem[];
}

/**
 * Puts what `use` has (errors, retries, timeouts) in the places that name it, so that whoever checks or runs tasks need
 * not know of names. It takes JSON that nobody has checked.
 * @param root the pointer of its list of tasks
 */
export function writeOut<Value extends { do?: unknown; use?: unknown }>(
  given: Value,
  use: unknown,
  root = '/do',
): WrittenOut<Value> {
  const origins = new Map<string, string>();
  const problems: InputProblem[] = [];
  const sizes = new Map<string, number>();
  let written = 0;
  const value = JSON.parse(JSON.stringify(given)) as Value; // JSON
  for (const { path, kind, name, replace } of sites(value, root)) {
    const all = isObject(use) && isObject(use[kind]) ? use[kind] : {};
    if (!Object.hasOwn(all, name)) {
      const hint = didYouMean(name, Object.keys(all));
      problems.push({ path, message: `there is no \`use.${kind}.${name.slice(0, 100)}\`${hint}` });
      continue;
    }
    const origin = pointer('/use', kind, name);
    const size = sizes.get(origin) ?? JSON.stringify(all[name]).length;
    sizes.set(origin, size);
    written += size;
    if (written > maxBytes) {
      problems.push({
        path,
        message: `what is named up to here has more than ${maxBytes / 1024} KiB of JSON`,
      });
      break;
    }
    replace(all[name]);
    origins.set(path, origin);
  }
  return { value, origins, problems };
}

/** A document that was checked as it runs. */
export const asItRuns = (document: Document): Document =>
  document.use === undefined ? document : writeOut(document, document.use).value;

/** What is wrong with what was written out, where it was sent: once, though several places name it. */
export function asNamed(
  found: readonly InputProblem[],
  { origins, problems }: Pick<WrittenOut<unknown>, 'origins' | 'problems'>,
): InputProblem[] {
  const asSent = ({ path, message }: InputProblem): InputProblem => {
    const site = [...origins.keys()].find((one) => path === one || path.startsWith(`${one}/`));
    return site === undefined
      ? { path, message }
      : { path: `${origins.get(site)}${path.slice(site.length)}`, message };
  };
  // A name that stands there still is no mistake of another kind.
  const isNowhere = new Set(problems.map(({ path }) => path));
  const all = [...problems, ...found.filter(({ path }) => !isNowhere.has(path)).map(asSent)];
  return [...new Map(all.map((problem) => [`${problem.path} ${problem.message}`, problem])).values()];
}

const nothing = { set: { nothing: true } };

/** For each kind a task that has such a value, and the field that has it. */
const tasksWith: Record<Kind, { field: string[]; task(value: unknown): object }> = {
  errors: { field: ['raise', 'error'], task: (error) => ({ raise: { error } }) },
  retries: { field: ['catch', 'retry'], task: (retry) => ({ try: [{ idle: nothing }], catch: { retry } }) },
  timeouts: { field: ['timeout'], task: (timeout) => ({ ...nothing, timeout }) },
};

/** What `use` has and no part of a document names, each in a task of its own: it is checked as if something did. */
export function unnamed(
  use: unknown,
  named: Iterable<string>,
): { path: string; field: string[]; task: object }[] {
  const known = new Set(named);
  return Object.entries(tasksWith).flatMap(([kind, { field, task }]) =>
    (isObject(use) && isObject(use[kind]) ? Object.entries(use[kind]) : [])
      .map(([name, value]) => ({ path: pointer('/use', kind, name), field, task: task(value) }))
      .filter(({ path }) => !known.has(path)),
  );
}

function sites(value: { do?: unknown; use?: unknown }, root: string): Site[] {
  const found: Site[] = [];
  const field = (holder: Record<string, unknown>, key: string, kind: Kind, path: string) => {
    const name = holder[key];
    if (typeof name !== 'string') return;
    const replace = (with_: unknown) => {
      holder[key] = with_;
    };
    found.push({ path: pointer(path, key), kind, name, replace });
  };
  const list = (tasks: unknown, path: string): void => {
    if (!Array.isArray(tasks)) return;
    for (const [at, item] of tasks.entries())
      if (isObject(item))
        for (const [name, task] of Object.entries(item))
          if (isObject(task)) visit(task, pointer(path, at, name));
  };
  const visit = (task: Record<string, unknown>, path: string): void => {
    field(task, 'timeout', 'timeouts', path);
    if (isObject(task.raise)) field(task.raise, 'error', 'errors', pointer(path, 'raise'));
    for (const key of ['do', 'try']) list(task[key], pointer(path, key));
    if (isObject(task.fork)) list(task.fork.branches, pointer(path, 'fork', 'branches'));
    if (!isObject(task.catch)) return;
    field(task.catch, 'retry', 'retries', pointer(path, 'catch'));
    list(task.catch.do, pointer(path, 'catch', 'do'));
  };
  field(value, 'timeout', 'timeouts', '');
  list(value.do, root);
  for (const extension of extensionsOf(value.use))
    for (const { path, tasks } of listsOf(extension)) list(tasks, path);
  return found;
}
