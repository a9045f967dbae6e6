import { type Static, Type } from 'typebox';
import { isExpression } from '../expressions.ts';
import { isObject } from '../json.ts';
import { didYouMean } from '../nearest.ts';
import { base } from './base.ts';
import { Container, containerProblems } from './container.ts';
import { ExternalResource, endpointProblems, refusedAtEndpoint } from './endpoint.ts';
import type { KindProblem, TaskKind } from './kind.ts';
import { metadataProblems, placingExpressions, placingProblems } from './placing.ts';
import { RunWorkflow } from './run-workflow.ts';

const text = (maxLength: number) => Type.String({ maxLength });
const scalar = () => Type.Union([Type.String(), Type.Number(), Type.Boolean()]);

/** What goes into the process; values that are wholly `${ … }` are evaluated, all others are literal. */
const given = {
  stdin: Type.Optional(Type.String()),
  arguments: Type.Optional(Type.Array(Type.String(), { maxItems: 1_000 })),
  environment: Type.Optional(Type.Record(Type.String(), scalar())),
};

const Shell = Type.Object(
  { ...given, command: Type.String({ minLength: 1, maxLength: 100_000 }) },
  { additionalProperties: false },
);

/** Characters of a script, wherever it is. */
export const SCRIPT_LIMIT = 200_000;

const Script = Type.Object(
  {
    ...given,
    language: Type.Union([Type.Literal('js'), Type.Literal('javascript'), Type.Literal('python')]),
    code: Type.Optional(text(SCRIPT_LIMIT)),
    source: Type.Optional(ExternalResource),
  },
  { additionalProperties: false },
);

const common = {
  await: Type.Optional(Type.Literal(true)),
  return: Type.Optional(
    Type.Union([
      Type.Literal('stdout'),
      Type.Literal('stderr'),
      Type.Literal('code'),
      Type.Literal('all'),
      Type.Literal('none'),
    ]),
  ),
};

const RunShell = Type.Object({ ...common, shell: Shell }, { additionalProperties: false });
const RunScript = Type.Object({ ...common, script: Script }, { additionalProperties: false });
const RunContainer = Type.Object({ ...common, container: Container }, { additionalProperties: false });

export const RunTask = Type.Object(
  { ...base, run: Type.Union([RunShell, RunScript, RunContainer, RunWorkflow]) },
  { additionalProperties: false },
);

const literal =
  'is literal text and is not evaluated: pass values through `arguments`, `environment` or `stdin`';

export const runKind: TaskKind<typeof RunTask> = {
  keyword: 'run',
  schema: RunTask,
  refuse: ({ run }) => (isObject(run) ? refusals(run) : []),
  children: () => [],
  expressions({ run, metadata }) {
    if ('workflow' in run)
      return [{ path: ['run', 'workflow', 'input'], value: run.workflow.input, bare: false }];
    const [key, { stdin, arguments: list, environment }] =
      'shell' in run
        ? (['shell', run.shell] as const)
        : 'script' in run
          ? (['script', run.script] as const)
          : (['container', run.container] as const);
    const fields = ['image', 'name', 'ports', 'volumes'] as const;
    return [
      ...('container' in run
        ? fields.map((field) => ({
            path: ['run', key, field],
            value: run.container[field],
            bare: false,
          }))
        : []),
      { path: ['run', key, 'stdin'], value: stdin, bare: false, secrets: true },
      { path: ['run', key, 'arguments'], value: list, bare: false },
      { path: ['run', key, 'environment'], value: environment, bare: false, secrets: true },
      ...('script' in run
        ? [{ path: ['run', 'script', 'source'], value: run.script.source, bare: false, secrets: true }]
        : []),
      ...placingExpressions(metadata),
    ];
  },
  check({ run, metadata }) {
    if ('workflow' in run) return metadataProblems(metadata);
    if ('container' in run) return [...containerProblems(run.container), ...placingProblems(metadata)];
    const [path, code] =
      'shell' in run
        ? ([['run', 'shell', 'command'], run.shell.command] as const)
        : ([['run', 'script', 'code'], run.script.code] as const);
    return [
      ...('script' in run ? sourceProblems(run.script) : []),
      ...(isExpression(code) ? [{ path: [...path], message: literal }] : []),
      ...placingProblems(metadata),
    ];
  },
};

function sourceProblems({ code, source }: Static<typeof Script>): KindProblem[] {
  const path = ['run', 'script'];
  if (code === undefined && source === undefined)
    return [{ path, message: 'has neither `code` nor `source`' }];
  if (source === undefined) return [];
  if (code !== undefined) return [{ path, message: 'has both `code` and `source`: leave one of them out' }];
  return endpointProblems(source.endpoint, '/endpoint').map(({ path: below, message }) => ({
    path: [...path, 'source'],
    below,
    message,
  }));
}

const processes = ['shell', 'script', 'container', 'workflow'];
const supported = 'supported are `shell`, `script`, `container` and `workflow`';

function refusals(run: Record<string, unknown>): KindProblem[] {
  const found: KindProblem[] = [];
  const keys = processes.filter((key) => Object.hasOwn(run, key));
  if (keys.length > 1)
    found.push({
      path: ['run'],
      message: `has ${keys.length === 2 ? 'both ' : ''}${keys.map((key) => `\`${key}\``).join(' and ')}: each is a task of its own`,
    });
  if (keys.length === 0) found.push({ path: ['run'], message: missing(run) });
  if (run.await === false && !keys.includes('workflow'))
    found.push({
      path: ['run', 'await'],
      message:
        '`await: false` is supported of `workflow` alone: no process outlives its step; run a workflow of its own so',
    });
  const endpoint =
    isObject(run.script) && isObject(run.script.source) ? run.script.source.endpoint : undefined;
  for (const { path, message } of refusedAtEndpoint(endpoint, '/endpoint'))
    found.push({ path: ['run', 'script', 'source'], below: path, message });
  return found;
}

const missing = (run: Record<string, unknown>) => {
  const other = Object.keys(run).find((key) => !['await', 'return'].includes(key));
  const hint = other === undefined ? '' : didYouMean(other, processes);
  return other === undefined
    ? 'has none of `shell`, `script`, `container` and `workflow`'
    : `unknown key \`${other.slice(0, 100)}\`${hint || `; ${supported}`}`;
};
