import { beforeAll, describe, expect, test } from '@jest/globals';
import { workflowTypes } from '../../domain/names.ts';
import { kinds } from '../../domain/neosyntis/dsl/kinds.ts';
import type { Document } from '../../domain/neosyntis/dsl.ts';
import { verbs } from '../../domain/neosyntis/verbs.ts';
import { walkTasks } from '../../domain/neosyntis/walk.ts';
import { createLogger } from '../../logs.ts';
import { bundleWorkflows } from '../../workers/bundle.ts';
import { installRuntime } from '../../workers/temporal.ts';
import * as workflows from '../../workflows/index.ts';
import { type HistoryEventJson, readRecorded, startOf } from './files.ts';
import { replayAll } from './replay.ts';

const recorded = readRecorded();
let found: Map<string, string | undefined>;

beforeAll(async () => {
  installRuntime(createLogger('replay', 'silent'));
  found = await replayAll(await bundleWorkflows({ sealsFailures: false }), recorded);
}, 60_000);

describe('The workflows as they are now do what was recorded (CONTRIBUTING.md, "Changing workflow code")', () => {
  test.each(recorded.map(({ name }) => name))('%s', (name) => {
    expect(found.has(name)).toBe(true);
    const problem = found.get(name);
    if (problem !== undefined) throw new Error(`${name}: ${problem}`);
  });
});

describe('What `npm run histories` records has at least one', () => {
  const typeOf = (start: HistoryEventJson): string => start.workflowType.name;
  const types = new Set(recorded.map(({ history }) => typeOf(startOf(history))));

  test.each(Object.keys(workflows))('of the workflow type %s', (type) => {
    expect([...types]).toContain(type);
  });

  const seen = new Set<string>();
  for (const { history } of recorded) {
    const start = startOf(history);
    if (typeOf(start) !== workflowTypes.run) continue;
    const [payload] = start.input.payloads;
    const text = Buffer.from(payload.data, 'base64').toString();
    const { document } = JSON.parse(text) as { document: Document }; // what a run is started with
    walkTasks(document, (_path, _name, task) => {
      for (const key of Object.keys(task)) if (kinds.has(key)) seen.add(key);
      if ('call' in task) seen.add(`call: ${task.call}`);
    });
  }

  test.each([...kinds.keys()])('run with a task of the kind %s', (kind) => {
    expect([...seen]).toContain(kind);
  });

  test.each([...verbs.keys()])('run that calls %s', (verb) => {
    expect([...seen]).toContain(`call: ${verb}`);
  });

  test.each([
    'workflowExecutionCompletedEventAttributes',
    'workflowExecutionFailedEventAttributes',
    'workflowExecutionCanceledEventAttributes',
  ])('run that ended so: %s', (end) => {
    expect(recorded.some(({ history }) => history.events.at(-1)?.[end])).toBe(true);
  });

  test('run that is still open', () => {
    const isOver = (event: HistoryEventJson | undefined) =>
      Object.keys(event ?? {}).some((key) => /^workflowExecution/.test(key));
    expect(recorded.some(({ history }) => !isOver(history.events.at(-1)))).toBe(true);
  });
});
