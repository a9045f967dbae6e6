import { type Jq, loadJq } from 'jq-wasm';
import type { Json } from '../../domain/wire.ts';
import { Fault, standardFault } from './fault.ts';

export type Arguments = Readonly<Record<string, Json>>;

/** The specification's runtime expression arguments; null where one means nothing. */
const runtimeArguments = [
  'context',
  'input',
  'output',
  'secrets',
  'authorization',
  'task',
  'workflow',
  'runtime',
];

type Answer = { values: Json[] } | { problem: string };

let engine: Promise<Jq> | undefined;
const answers = new Map<string, Answer>();

/** A whole string in `${ }`. The generated documents have none that only looks like one. */
const enclosed = (text: string) => /^\$\{([\s\S]*)\}$/.exec(text.trim())?.[1];

/**
 * What an expression gives, by jq alone: no shortcut for plain ones, no batch, no thread.
 * @throws Fault `expression` when it fails or gives several values.
 */
export async function evaluate(text: string, data: Json, given: Arguments): Promise<Json> {
  engine ??= loadJq();
  const jq = await engine;
  const source = enclosed(text) ?? text;
  const bound: Arguments = {
    ...Object.fromEntries(runtimeArguments.map((name) => [name, null])),
    ...given,
  };
  const flags = Object.entries(bound)
    .filter(([name]) => source.includes(`$${name}`))
    .flatMap(([name, value]) => ['--argjson', name, JSON.stringify(value)]);
  // Most of jq's time goes into starting, and small documents ask the same again and again.
  const question = JSON.stringify([source, data, flags]);
  const answer = answers.get(question) ?? ask(jq, source, data, flags);
  if (answers.size > 50_000) answers.clear();
  answers.set(question, answer);
  if ('problem' in answer) throw new Fault(standardFault('expression', 400, answer.problem));
  const { values } = answer;
  if (values.length > 1)
    throw new Fault(standardFault('expression', 400, `\`${source}\` gave ${values.length} values`));
  return values[0] ?? null;
}

function ask(jq: Jq, source: string, data: Json, flags: string[]): Answer {
  try {
    return { values: jq.json<Json>(JSON.stringify(data), source, flags) };
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'JqError') throw error;
    return { problem: error.message };
  }
}

/** A condition holds unless it is false or null, as in jq. */
export async function holds(text: string, data: Json, given: Arguments): Promise<boolean> {
  const value = await evaluate(text, data, given);
  return value !== false && value !== null;
}

/** A value whose strings in `${ }` are evaluated, at any depth. */
export async function resolve(value: Json, data: Json, given: Arguments): Promise<Json> {
  if (typeof value === 'string') return enclosed(value) === undefined ? value : evaluate(value, data, given);
  if (Array.isArray(value)) {
    const list: Json[] = [];
    for (const item of value) list.push(await resolve(item, data, given));
    return list;
  }
  if (value === null || typeof value !== 'object') return value;
  const result: { [key: string]: Json } = {};
  for (const [key, item] of Object.entries(value)) result[key] = await resolve(item, data, given);
  return result;
}

/** `input.from`, `output.as`, `export.as`: an expression with or without `${ }`, or an object. */
export const transform = (value: Json, data: Json, given: Arguments): Promise<Json> =>
  typeof value === 'string' ? evaluate(value, data, given) : resolve(value, data, given);
