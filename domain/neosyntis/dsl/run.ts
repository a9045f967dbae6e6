import { Type } from 'typebox';
import { isExpression } from '../expressions.ts';
import { isObject } from '../json.ts';
import { didYouMean } from '../nearest.ts';
import { base } from './base.ts';
import { Container, containerProblems } from './container.ts';
import type { KindProblem, TaskKind } from './kind.ts';
import { placingExpressions, placingProblems } from './placing.ts';

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

const Script = Type.Object(
  {
    ...given,
    language: Type.Union([Type.Literal('js'), Type.Literal('javascript'), Type.Literal('python')]),
    code: text(200_000),
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
  { ...base, run: Type.Union([RunShell, RunScript, RunContainer]) },
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
      ...placingExpressions(metadata),
    ];
  },
  check({ run, metadata }) {
    if ('container' in run) return [...containerProblems(run.container), ...placingProblems(metadata)];
    const [path, code] =
      'shell' in run
        ? ([['run', 'shell', 'command'], run.shell.command] as const)
        : ([['run', 'script', 'code'], run.script.code] as const);
    return [
      ...(isExpression(code) ? [{ path: [...path], message: literal }] : []),
      ...placingProblems(metadata),
    ];
  },
};

const kinds = ['shell', 'script', 'container'];
const supported = 'supported are `shell`, `script` and `container`';

function refusals(run: Record<string, unknown>): KindProblem[] {
  const found: KindProblem[] = ['workflow']
    .filter((key) => Object.hasOwn(run, key))
    .map((key) => ({
      path: ['run', key],
      replaces: 'shell',
      message: `\`run: ${key}\` is not supported yet; ${supported}`,
    }));
  const keys = kinds.filter((key) => Object.hasOwn(run, key));
  if (keys.length > 1)
    found.push({
      path: ['run'],
      message: `has ${keys.length === 2 ? 'both ' : ''}${keys.map((key) => `\`${key}\``).join(' and ')}: use ${keys.length === 2 ? 'two' : 'three'} tasks`,
    });
  if (keys.length === 0 && found.length === 0) found.push({ path: ['run'], message: missing(run) });
  if (run.await === false)
    found.push({
      path: ['run', 'await'],
      message: '`await: false` is not supported yet; every process is awaited',
    });
  if (isObject(run.script) && Object.hasOwn(run.script, 'source'))
    found.push({
      path: ['run', 'script', 'source'],
      replaces: 'code',
      message: '`source` is not supported yet; put the script in `code`',
    });
  return found;
}

const missing = (run: Record<string, unknown>) => {
  const other = Object.keys(run).find((key) => !['await', 'return'].includes(key));
  const hint = other === undefined ? '' : didYouMean(other, kinds);
  return other === undefined
    ? 'has none of `shell`, `script` and `container`'
    : `unknown key \`${other.slice(0, 100)}\`${hint || `; ${supported}`}`;
};
