import type { RunTask } from '../../../domain/neosyntis/dsl.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import type { Json } from '../../../domain/wire.ts';
import { failure } from '../engine/problem.ts';
import type { TaskExecutor } from '../engine/scope.ts';
import { sealingTemplate } from '../engine/sealing.ts';
import { timeoutMs } from '../engine/timeout.ts';

const DEFAULT_TIMEOUT_MS = 600_000;

/** `run`: a shell command or a script on a worker host, at most once. */
export const runRun: TaskExecutor<RunTask> = async (run, task, input, scope, variables) => {
  const given = 'shell' in task.run ? task.run.shell : task.run.script;
  const what =
    'shell' in task.run
      ? ({ kind: 'shell', command: task.run.shell.command } as const)
      : ({
          kind: 'script',
          language: language(task.run.script.language),
          code: task.run.script.code,
        } as const);
  const { value: values, sealed } = await sealingTemplate(
    run.evaluator,
    { arguments: given.arguments ?? [], environment: given.environment ?? {}, stdin: given.stdin ?? null },
    input,
    variables,
  );
  const { arguments: list, environment, stdin } = values as { [name: string]: Json }; // the template's keys
  run.recorder.flush();
  await run.budget.spend(byteLength([values, (sealed ?? null) as Json])); // it is JSON
  const isSealed = (name: string) => sealed?.expressions.some(({ at }) => at[1] === name) === true;
  return run.code({
    runId: run.runId,
    path: scope.pointer,
    iteration: scope.iteration,
    ...what,
    arguments: asList(list).map((value) => asText(value, 'an argument')),
    environment: Object.fromEntries(
      Object.entries(asObject(environment))
        .filter(([name]) => !isSealed(name))
        .map(([name, value]) => [name, asText(value, `environment.${name}`)]),
    ),
    ...(stdin === null || stdin === undefined
      ? {}
      : { stdin: typeof stdin === 'string' ? stdin : JSON.stringify(stdin) }),
    return: task.run.return ?? 'stdout',
    timeoutMs: timeoutMs(task) ?? DEFAULT_TIMEOUT_MS,
    ...(sealed ? { sealed } : {}),
  });
};

const language = (name: string) => (name === 'python' ? 'python' : 'js');

const asList = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : []);

const asObject = (value: Json | undefined): { [key: string]: Json } =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? value : {};

function asText(value: Json, what: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw failure(
    'validation',
    `${what} is ${JSON.stringify(value).slice(0, 100)}; it must be text or a number.`,
  );
}
