import { stdinText } from '../../../domain/neosyntis/code.ts';
import type { RunTask } from '../../../domain/neosyntis/dsl.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import { scriptSource } from '../../../domain/neosyntis/verbs/script-source.ts';
import type { Json } from '../../../domain/wire.ts';
import type { Variables } from '../engine/evaluator.ts';
import { type RunContext, type StepScope, stepPlace, type TaskExecutor } from '../engine/scope.ts';
import { sealingTemplate } from '../engine/sealing.ts';
import type { StepRecord } from '../engine/step-record.ts';
import { timeoutMs } from '../engine/timeout.ts';
import { attemptsOf } from '../engine/verb-attempts.ts';
import { asJson, asList, asObject, asText, wantedOf } from './code-values.ts';
import { containerStep, containerTemplate, withEngine } from './container.ts';
import { type RunWorkflowTask, runWorkflow } from './run-workflow.ts';

const DEFAULT_TIMEOUT_MS = 600_000;
const FETCH_TIMEOUT_MS = 30_000;

/** `run`: another workflow, or a process on a worker host. */
export const runRun: TaskExecutor<RunTask> = (run, task, ...rest) =>
  isWorkflow(task) ? runWorkflow(run, task, ...rest) : runProcess(run, task as ProcessTask, ...rest);

type ProcessTask = RunTask & { run: Exclude<RunTask['run'], { workflow: unknown }> };

const isWorkflow = (task: RunTask): task is RunWorkflowTask => 'workflow' in task.run;

/** A shell command, a script or a container on a worker host, at most once. */
const runProcess: TaskExecutor<ProcessTask> = async (run, task, input, scope, variables, step) => {
  const container = 'container' in task.run ? task.run.container : undefined;
  const given =
    'shell' in task.run ? task.run.shell : 'script' in task.run ? task.run.script : task.run.container;
  const program = container ? undefined : await programOf(run, task, input, scope, variables, step);
  const { value: values, sealed } = await sealingTemplate(
    run.evaluator,
    {
      arguments: given.arguments ?? [],
      environment: given.environment ?? {},
      stdin: given.stdin ?? null,
      host: asJson(task.metadata?.host),
      capability: asJson(task.metadata?.capability),
      ...(container ? containerTemplate(container) : {}),
    },
    input,
    variables,
  );
  const { arguments: list, environment, stdin, host, capability } = values as { [name: string]: Json }; // the template's keys
  run.recorder.flush();
  await run.budget.spend(byteLength([values, (sealed ?? null) as Json])); // it is JSON
  const isSealed = (name: string) => sealed?.expressions.some(({ at }) => at[1] === name) === true;
  const what = container
    ? containerStep(container, values as { [name: string]: Json }, variables) // the template's keys
    : (program as Exclude<typeof program, undefined>); // without a container there is one
  const code = {
    runId: run.runId,
    ...{ ...stepPlace(scope), attempt: step.attempt() },
    ...what,
    arguments: asList(list).map((value) => asText(value, 'an argument')),
    environment: Object.fromEntries(
      Object.entries(asObject(environment))
        .filter(([name]) => !isSealed(name))
        .map(([name, value]) => [name, asText(value, `environment.${name}`)]),
    ),
    ...(stdin === null || stdin === undefined ? {} : { stdin: stdinText(stdin) }),
    return: task.run.return ?? 'stdout',
    timeoutMs: timeoutMs(task) ?? DEFAULT_TIMEOUT_MS,
    ...(sealed ? { sealed } : {}),
  };
  return run.code(code, {
    wanted: container ? withEngine(wantedOf(host, capability)) : wantedOf(host, capability),
    moves: task.metadata?.onHostLoss === 'move' && task.metadata.idempotent === true,
    waited: step.waited,
    again(lost) {
      const attempt = scope.again();
      step.moves(attempt, lost);
      return attempt;
    },
  });
};

async function programOf(
  run: RunContext,
  task: ProcessTask,
  input: Json,
  scope: StepScope,
  variables: Variables,
  step: StepRecord,
) {
  if ('shell' in task.run) return { kind: 'shell', command: task.run.shell.command } as const;
  if (!('script' in task.run)) throw new TypeError('a container is no program of the host');
  return {
    kind: 'script',
    language: language(task.run.script.language),
    code: task.run.script.code ?? (await fetchedCode(run, task, input, scope, variables, step)),
  } as const;
}

/** A script that is elsewhere is fetched before the step is given to a host. */
async function fetchedCode(
  run: RunContext,
  task: RunTask,
  input: Json,
  scope: StepScope,
  variables: Variables,
  step: StepRecord,
): Promise<string> {
  const endpoint = 'script' in task.run ? task.run.script.source?.endpoint : undefined;
  const { value, sealed } = await sealingTemplate(run.evaluator, { endpoint }, input, variables);
  const limit = { timeoutMs: Math.min(timeoutMs(task) ?? FETCH_TIMEOUT_MS, FETCH_TIMEOUT_MS) };
  const place = { ...stepPlace(scope), ...limit, ...(sealed ? { sealed } : {}) };
  const attempts = attemptsOf(run, scope, step);
  const { output } = await run.callVerb(scriptSource.name, value, { ...place, attempts });
  return String(output);
}

const language = (name: string) => (name === 'python' ? 'python' : 'js');
