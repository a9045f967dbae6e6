import { argumentText, stdinText } from '../../../domain/neosyntis/code.ts';
import { capabilitiesOf } from '../../../domain/neosyntis/dsl/placing.ts';
import type { RunTask } from '../../../domain/neosyntis/dsl.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import type { Wanted } from '../../../domain/system/placement.ts';
import type { Json } from '../../../domain/wire.ts';
import { failure } from '../engine/problem.ts';
import { stepPlace, type TaskExecutor } from '../engine/scope.ts';
import { sealingTemplate } from '../engine/sealing.ts';
import { timeoutMs } from '../engine/timeout.ts';
import { containerStep, containerTemplate, withEngine } from './container.ts';

const DEFAULT_TIMEOUT_MS = 600_000;

/** `run`: a shell command or a script on a worker host, at most once. */
export const runRun: TaskExecutor<RunTask> = async (run, task, input, scope, variables, step) => {
  const container = 'container' in task.run ? task.run.container : undefined;
  const given =
    'shell' in task.run ? task.run.shell : 'script' in task.run ? task.run.script : task.run.container;
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
    : programOf(task.run);
  const code = {
    runId: run.runId,
    ...stepPlace(scope),
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
    again() {
      const attempt = scope.again();
      step.moves(attempt);
      return attempt;
    },
  });
};

function programOf(run: RunTask['run']) {
  if ('shell' in run) return { kind: 'shell', command: run.shell.command } as const;
  if (!('script' in run)) throw new TypeError('a container is no program of the host');
  return { kind: 'script', language: language(run.script.language), code: run.script.code } as const;
}

/** What stands in a definition is JSON. */
const asJson = (value: unknown): Json => (value === undefined ? null : (value as Json));

/** What an expression gave is checked here; what is written out was checked at save. */
function wantedOf(host: Json | undefined, capability: Json | undefined): Wanted {
  const capabilities = capability === null ? {} : capabilitiesOf(capability);
  if (capabilities === undefined)
    throw failure(
      'validation',
      `metadata.capability is ${JSON.stringify(capability).slice(0, 100)}; it must name capabilities.`,
    );
  if (host === null || host === undefined) return { capabilities };
  if (typeof host !== 'string')
    throw failure(
      'validation',
      `metadata.host is ${JSON.stringify(host).slice(0, 100)}; it must be a host's name.`,
    );
  return { host, capabilities };
}

const language = (name: string) => (name === 'python' ? 'python' : 'js');

const asList = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : []);

const asObject = (value: Json | undefined): { [key: string]: Json } =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? value : {};

function asText(value: Json, what: string): string {
  const text = argumentText(value);
  if (text !== undefined) return text;
  throw failure(
    'validation',
    `${what} is ${JSON.stringify(value).slice(0, 100)}; it must be text or a number.`,
  );
}
