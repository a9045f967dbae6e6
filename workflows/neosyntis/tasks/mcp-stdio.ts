import type { CallTask } from '../../../domain/neosyntis/dsl.ts';
import { durationMs } from '../../../domain/neosyntis/duration.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import { verbProblem } from '../../../domain/neosyntis/verb-arguments.ts';
import { type McpArguments, mcp, USUAL_VERSION } from '../../../domain/neosyntis/verbs/mcp.ts';
import type { Json } from '../../../domain/wire.ts';
import { failure } from '../engine/problem.ts';
import { stepPlace, type TaskExecutor } from '../engine/scope.ts';
import { sealingTemplate } from '../engine/sealing.ts';
import { timeoutMs } from '../engine/timeout.ts';
import { asJson, asText, wantedOf } from './code-values.ts';

const DEFAULT_TIMEOUT_MS = 600_000;

/** `call: mcp` of a server that is a process: a code step, on a host, at most once. */
export const callStdio: TaskExecutor<CallTask> = async (run, task, input, scope, variables, step) => {
  const { metadata } = task;
  const { value, sealed: all } = await sealingTemplate(
    run.evaluator,
    { with: task.with ?? {}, host: asJson(metadata?.host), capability: asJson(metadata?.capability) },
    input,
    variables,
  );
  const { with: args, host, capability } = value as { [name: string]: Json }; // the template's keys
  // A host puts secrets where it runs them: what is null now is not judged.
  const problem = all ? undefined : verbProblem(mcp, args ?? null);
  if (problem) throw failure('validation', `mcp: ${problem}`);
  const given = args as unknown as McpArguments; // the schema says so, but for secrets
  const { command, arguments: list = [], environment = {} } = given.transport.stdio ?? { command: '' };
  const sealed = all && {
    ...all,
    expressions: all.expressions.map(({ at, source }) => ({ at: placeOf(at), source })),
  };
  const isSealed = (name: string) => sealed?.expressions.some(({ at }) => at[1] === name) === true;
  run.recorder.flush();
  await run.budget.spend(byteLength([value, (sealed ?? null) as Json])); // it is JSON
  const own = given.timeout === undefined ? undefined : durationMs(given.timeout);
  const limits = [timeoutMs(task), typeof own === 'number' ? own : undefined].filter(
    (ms) => ms !== undefined,
  );
  const code = {
    runId: run.runId,
    ...stepPlace(scope),
    kind: 'mcp' as const,
    command,
    arguments: list.map((one) => asText(one, 'an argument')),
    environment: Object.fromEntries(
      Object.entries(environment)
        .filter(([name]) => !isSealed(name))
        .map(([name, one]) => [name, asText(one, `environment.${name}`)]),
    ),
    method: given.method,
    ...(given.parameters ? { parameters: given.parameters as Json } : {}),
    protocolVersion: given.protocolVersion ?? USUAL_VERSION,
    client: given.client ?? { name: 'vareon', version: '1' },
    return: 'stdout' as const,
    timeoutMs: limits.length > 0 ? Math.max(1, Math.min(...limits)) : DEFAULT_TIMEOUT_MS,
    ...(sealed ? { sealed } : {}),
  };
  return run.code(code, {
    wanted: wantedOf(host, capability),
    moves: metadata?.onHostLoss === 'move' && metadata.idempotent === true,
    waited: step.waited,
    again(lost) {
      const attempt = scope.again();
      step.moves(attempt, lost);
      return attempt;
    },
  });
};

/** Where a host has what stands in `with`: `environment` and `parameters`; nothing else takes secrets. */
function placeOf(at: (string | number)[]): (string | number)[] {
  const [, first, second, third, ...rest] = at;
  if (first === 'parameters') return ['parameters', ...at.slice(2)];
  if (first === 'transport' && second === 'stdio' && third === 'environment') return ['environment', ...rest];
  throw failure(
    'validation',
    `mcp: a secret at ${at.slice(1).join('.')} has no place in a server on a host.`,
  );
}
