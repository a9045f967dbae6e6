import { pointer } from '../../pointer.ts';
import { standardCalls } from '../dsl/standard-calls.ts';
import { extensionsOf, listsOf } from '../extensions.ts';
import { isObject } from '../json.ts';
import type { Kind } from '../use.ts';

/** A part of a document that names what `use` has. */
export interface Site {
  /** The pointer of what the value takes the place of. */
  path: string;
  /** The pointer of the name, where it is another. */
  at?: string;
  kind: Kind;
  name: string;
  /** The functions that this is in, outermost first. */
  within: readonly string[];
  /** Puts something in the name's place. */
  replace(value: unknown): void;
}

interface Visitor {
  /** Told of every authentication policy once its name, if it has one, was written out. */
  policy(policy: Record<string, unknown>, path: string): void;
  /** Told of what only `replace` may put in. */
  forged(path: string): void;
  /** Told of every schema that is elsewhere, once the name of its authentication was written out. */
  resource(schema: Record<string, unknown>, path: string): void;
}

type Holder = Record<string, unknown>;

/** Where calls have authentications. */
const endpoints: Record<string, string[][]> = {
  http: [['endpoint']],
  openapi: [[], ['document', 'endpoint']],
  mcp: [['transport', 'http', 'endpoint']],
};

/** Every place, in the order written; what `replace` puts in has places of its own, which come next. */
export function* sites(
  value: { do?: unknown; use?: unknown },
  root: string,
  visitor: Visitor,
): Generator<Site> {
  function* field(holder: Holder, key: string, kind: Kind, path: string, within: string[]) {
    const name = holder[key];
    if (typeof name !== 'string') return;
    const replace = (what: unknown) => {
      holder[key] = what;
    };
    yield { path: pointer(path, key), kind, name, within, replace };
  }
  function* list(tasks: unknown, path: string, within: string[]): Generator<Site> {
    if (!Array.isArray(tasks)) return;
    for (const [at, item] of tasks.entries())
      if (isObject(item))
        for (const [name, task] of Object.entries(item))
          if (isObject(task)) yield* visit(task, pointer(path, at, name), within);
  }
  function* visit(task: Holder, path: string, within: string[]): Generator<Site> {
    yield* field(task, 'timeout', 'timeouts', path, within);
    yield* schemas(task, path, within);
    if (isObject(task.raise)) yield* field(task.raise, 'error', 'errors', pointer(path, 'raise'), within);
    for (const key of ['do', 'try']) yield* list(task[key], pointer(path, key), within);
    if (isObject(task.foreach)) yield* list(task.foreach.do, pointer(path, 'foreach', 'do'), within);
    if (isObject(task.fork)) yield* list(task.fork.branches, pointer(path, 'fork', 'branches'), within);
    if (isObject(task.run)) yield* policySites(task, ['run', 'script', 'source', 'endpoint'], path, within);
    if (typeof task.call === 'string') yield* callSites(task, task.call, path, within);
    if (!isObject(task.catch)) return;
    yield* field(task.catch, 'retry', 'retries', pointer(path, 'catch'), within);
    yield* list(task.catch.do, pointer(path, 'catch', 'do'), within);
  }
  function* callSites(task: Holder, name: string, path: string, within: string[]): Generator<Site> {
    for (const keys of Object.hasOwn(endpoints, name) ? (endpoints[name] ?? []) : [])
      yield* policySites(task, ['with', ...keys], path, within);
    if (Object.hasOwn(task, 'function')) visitor.forged(pointer(path, 'function'));
    delete task.function;
    if (standardCalls.includes(name)) return;
    let called: unknown;
    const replace = (what: unknown) => {
      called = what;
      task.function = { [name]: what };
    };
    const at = pointer(path, 'call');
    const where = pointer(path, 'function', name);
    yield { path: where, at, kind: 'functions', name, within, replace };
    if (isObject(called)) yield* visit(called, where, [...within, name]);
  }
  /** The schemas of a task, or of the document. */
  function* schemas(holder: Holder, path: string, within: string[]): Generator<Site> {
    for (const key of ['input', 'output', 'export']) {
      const schema = isObject(holder[key]) ? holder[key].schema : undefined;
      if (!isObject(schema) || !isObject(schema.resource)) continue;
      yield* policySites(holder, [key, 'schema', 'resource', 'endpoint'], path, within);
      visitor.resource(schema, pointer(path, key, 'schema'));
    }
  }
  function* policySites(task: Holder, keys: string[], path: string, within: string[]) {
    const holder = keys.reduce<unknown>((outer, key) => (isObject(outer) ? outer[key] : undefined), task);
    if (isObject(holder)) yield* policySite(holder, pointer(path, ...keys), within);
  }
  /** `authentication: name` or `{use: name}`. */
  function* policySite(holder: Holder, above: string, within: string[]): Generator<Site> {
    const given = holder.authentication;
    const path = pointer(above, 'authentication');
    const replace = (what: unknown) => {
      holder.authentication = what;
    };
    const site = { path, kind: 'authentications' as const, within, replace };
    if (typeof given === 'string' && above.endsWith('/with') && !given.startsWith('${'))
      yield { ...site, name: given };
    else if (isObject(given) && typeof given.use === 'string' && Object.keys(given).length === 1)
      yield { ...site, name: given.use, at: pointer(path, 'use') };
    if (isObject(holder.authentication)) visitor.policy(holder.authentication, path);
  }
  if (isObject(value)) {
    yield* field(value, 'timeout', 'timeouts', '', []);
    yield* schemas(value, '', []);
  }
  yield* list(value.do, root, []);
  for (const extension of extensionsOf(value.use))
    for (const { path, tasks } of listsOf(extension)) yield* list(tasks, path, []);
}
