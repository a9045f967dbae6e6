import type { InputProblem } from '../errors.ts';
import { pointer } from '../pointer.ts';
import { shortDuration } from './duration.ts';
import { tokenize } from './jq.ts';
import { show } from './json.ts';
import { nearest } from './nearest.ts';
import type { Verbs } from './verbs.ts';

/**
 * Steps as a `do` list: `"agent.start"` becomes `{"1-agent.start": {"call": "agent.start"}}`. Objects stay as they
 * are and are not checked here. A string that means nothing becomes undefined, so that positions stay, and a problem.
 */
export function normalizeSteps(
  steps: unknown,
  { root, verbs }: { root: string; verbs: Verbs },
): { do: unknown; problems: InputProblem[] } {
  if (!Array.isArray(steps)) return { do: steps, problems: [] };
  const problems: InputProblem[] = [];
  const list = steps.map((step: unknown, at) => {
    if (typeof step !== 'string') return step;
    const task = readStep(step, verbs);
    if (!('problem' in task)) return { [`${at + 1}-${task.verb}`]: task.task };
    problems.push({ path: pointer(root, at), message: task.problem });
    return undefined;
  });
  return { do: list, problems };
}

type Read = { verb: string; task: object } | { problem: string };

function readStep(step: string, verbs: Verbs): Read {
  const [, verb = '', rest = ''] = /^\s*(\S*)\s*([\s\S]*)$/.exec(step) ?? [];
  if (verb === 'wait') return readWait(rest.trim());
  if (!verbs.has(verb)) {
    if (verb === '') return { problem: 'is empty: write a verb such as notify.email' };
    return {
      problem: `${show(verb)} is not a verb; nearest: ${nearest(verb, [...verbs.keys(), 'wait']).join(', ')}`,
    };
  }
  const args = readArguments(rest);
  if ('problem' in args) return args;
  return {
    verb,
    task: Object.keys(args.with).length === 0 ? { call: verb } : { call: verb, with: args.with },
  };
}

function readWait(text: string): Read {
  if (text === '')
    return { problem: 'says not how long to wait: write `wait 5s`, `wait 1m30s` or `wait PT5S`' };
  return { verb: 'wait', task: { wait: shortDuration(text) ?? text } };
}

/** `key=value key2='a b' key3=${ .some.where }`. */
function readArguments(text: string): { with: Record<string, unknown> } | { problem: string } {
  const given: Record<string, unknown> = {};
  let rest = text.trim();
  while (rest !== '') {
    const [start, key = ''] = /^([A-Za-z][A-Za-z0-9_]*)=/.exec(rest) ?? [];
    if (start === undefined)
      return { problem: `${show(rest)} is not an argument: write key=value or key='a b'` };
    if (Object.hasOwn(given, key)) return { problem: `\`${key}\` is given twice` };
    const value = readValue(rest.slice(start.length));
    if ('problem' in value) return { problem: `\`${key}\` ${value.problem}` };
    given[key] = value.value;
    rest = value.rest.trimStart();
  }
  return { with: given };
}

function readValue(text: string): { value: unknown; rest: string } | { problem: string } {
  const quote = text[0];
  if (quote === '"' || quote === "'") {
    const end = text.indexOf(quote, 1);
    if (end === -1) return { problem: `has no closing ${quote}` };
    if (!/^(?:\s|$)/.test(text.slice(end + 1))) return { problem: `goes on after its closing ${quote}` };
    const inner = text.slice(1, end);
    // Quotes make text of a number; lists and objects need them for their spaces.
    return { value: /^\s*[[{]/.test(inner) ? parsed(inner) : inner, rest: text.slice(end + 1) };
  }
  const end = text.startsWith('${') ? Math.min(tokenize(text, 2).end + 1, text.length) : text.search(/\s|$/);
  return { value: parsed(text.slice(0, end)), rest: text.slice(end) };
}

/** A JSON number, true, false, null, list or object; else the text itself. */
function parsed(text: string): unknown {
  if (!/^\s*(?:-?\d|true$|false$|null$|\[|\{)/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text; // not JSON: it is text that begins like it, such as 10mm
  }
}
