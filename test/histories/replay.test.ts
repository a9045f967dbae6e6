import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { workflowTypes } from '../../domain/names.ts';
import { kinds } from '../../domain/neosyntis/dsl/kinds.ts';
import type { Document } from '../../domain/neosyntis/dsl.ts';
import { verbs } from '../../domain/neosyntis/verbs.ts';
import { walkTasks } from '../../domain/neosyntis/walk.ts';
import { type HistoryEventJson, readRecorded, startOf } from './files.ts';

const recorded = readRecorded();
/** What went wrong by the history's name; null for nothing. */
let found: Record<string, string | null>;

beforeAll(async () => {
  const script = fileURLToPath(new URL('check.ts', import.meta.url));
  const { stdout, stderr } = await run(script);
  const line = stdout.trimEnd().split('\n').at(-1); // the SDK writes there, too
  if (!line?.startsWith('{')) throw new Error(`nothing was replayed: ${stderr}`);
  found = JSON.parse(line) as typeof found; // as check.ts prints it
}, 600_000);

/** Its exit code says what its output says. */
const run = (script: string) =>
  new Promise<{ stdout: string; stderr: string }>((resolve) => {
    const { PATH, HOME } = process.env;
    const options = { env: { PATH, HOME }, timeout: 590_000, maxBuffer: 2 ** 24 };
    execFile(process.execPath, [script], options, (_, stdout, stderr) => resolve({ stdout, stderr }));
  });

describe('The workflows as they are now do what was recorded (CONTRIBUTING.md, "Changing workflow code")', () => {
  test.each(recorded.map(({ name }) => name))('%s', (name) => {
    expect({ [name]: found[name] }).toEqual({ [name]: null });
  });
});

describe('What `npm run histories` records has at least one', () => {
  const typeOf = (start: HistoryEventJson): string => start.workflowType.name;
  const types = new Set(recorded.map(({ history }) => typeOf(startOf(history))));

  // Read, not imported: jq's WebAssembly is the bundler's to load.
  const index = readFileSync(new URL('../../workflows/index.ts', import.meta.url), 'utf8');
  const exported = [...index.matchAll(/export \{([^}]*)\}/g)].flatMap(
    ([, names = '']) => names.match(/\w+/g) ?? [],
  );

  test.each(exported)('of the workflow type %s', (type) => {
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
