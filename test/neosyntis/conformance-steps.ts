import { expect } from '@jest/globals';
import { parse } from 'yaml';
import type { Run } from '../support/world.ts';

/** What a scenario arranges, and what came of it. */
export interface Outcome {
  definition: string;
  input: unknown;
  run: Run;
}

const names = ({ steps }: Run): string[] => steps.map((step: Run) => step.name);
const steps = ({ steps }: Run, name: string): Run[] => steps.filter((step: Run) => step.name === name);
const at = (value: unknown, path: string): unknown =>
  path.split('.').reduce((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], value);
const has = (value: unknown, path: string) => expect([path, at(value, path)]).not.toEqual([path, undefined]);

type Check = (run: Run, matched: string[], text: unknown) => void;

const endsAs = (status: string) => (run: Run) =>
  expect([run.status, run.error]).toEqual([status, status === 'completed' ? null : run.error]);
const taskEndsAs =
  (status: string): Check =>
  (run, [name = '']) =>
    expect(steps(run, name).map((step) => step.status)).toEqual([status]);

/** The sentences of the kit (its README, "Assert"). */
const checks: [RegExp, Check][] = [
  [/^the workflow should complete$/, endsAs('completed')],
  [/^the workflow should fault$/, endsAs('failed')],
  [/^the workflow should cancel$/, endsAs('cancelled')],
  [
    /^the workflow should complete with output:$/,
    (run, _matched, text) => expect([run.status, run.error, run.output]).toEqual(['completed', null, text]),
  ],
  [
    /^the workflow should fault with error:$/,
    (run, _matched, text) => expect([run.status, run.error]).toEqual(['failed', text]),
  ],
  [
    /^the workflow output should have properties (.*)$/,
    (run, [list = '']) => {
      for (const path of list.split(',')) has(run.output, path.trim().slice(1, -1));
    },
  ],
  [
    /^the workflow output should have a '(.*)' property with value:$/,
    (run, [path = ''], text) => expect(at(run.output, path)).toEqual(text),
  ],
  [
    /^the workflow output should have a '(.*)' property containing (\d+) items$/,
    (run, [path = '', count]) => expect(at(run.output, path)).toHaveLength(Number(count)),
  ],
  [/^(\S+) should run first$/, (run, [name]) => expect(names(run)[0]).toBe(name)],
  [/^(\S+) should run last$/, (run, [name]) => expect(names(run).at(-1)).toBe(name)],
  [
    /^(\S+) should run before (\S+)$/,
    (run, [first = '', then = '']) =>
      expect(names(run).filter((name) => name === first || name === then)).toEqual([first, then]),
  ],
  [
    /^(\S+) should run after (\S+)$/,
    (run, [then = '', first = '']) =>
      expect(names(run).filter((name) => name === first || name === then)).toEqual([first, then]),
  ],
  [/^(\S+) should complete$/, taskEndsAs('completed')],
  [/^(\S+) should fault$/, taskEndsAs('failed')],
  [/^(\S+) should cancel$/, taskEndsAs('cancelled')],
];

/** Holds a run to one sentence of a scenario. */
export function expectAs(run: Run, sentence: string, text: string | undefined): void {
  for (const [pattern, check] of checks) {
    const found = pattern.exec(sentence);
    if (!found) continue;
    check(run, found.slice(1), text === undefined ? undefined : parse(text));
    return;
  }
  throw new Error(`the kit says something new: ${sentence}`);
}
