import type { CodeStep, ContainerStep, LogChunk, McpStep } from '../../../domain/neosyntis/code.ts';
import type { OutputPiece, ProcessSpec } from '../../../drivers/processes/port.ts';

const KILL_GRACE_MS = 2_000;
const OUTPUT_LIMIT_BYTES = 10 * 1024 * 1024;

/** A piece of a step's output, as it is told to others. */
export const chunkOf = (
  { runId, path, iteration, attempt = 1 }: Pick<CodeStep, 'runId' | 'path' | 'iteration' | 'attempt'>,
  { stream, offset, bytes, text }: OutputPiece,
): LogChunk => ({
  run_id: runId,
  path,
  iteration,
  attempt,
  stream,
  offset,
  length: bytes,
  text,
  at: new Date().toISOString(),
});

/** What the process of a step has whatever it runs. */
export const aroundOf = (step: CodeStep) => ({
  id: step.step,
  platformEnv: { VAREON_RUN_ID: step.runId },
  timeoutMs: step.timeoutMs,
  killGraceMs: KILL_GRACE_MS,
  outputLimitBytes: OUTPUT_LIMIT_BYTES,
});

type Program = Exclude<CodeStep, ContainerStep | McpStep>;

/** What the process of a step runs, on the host itself. */
export const insideOf = (step: Program): Pick<ProcessSpec, 'argv' | 'files' | 'env' | 'stdin'> => ({
  ...programOf(step),
  env: step.environment,
  ...(step.stdin === undefined ? {} : { stdin: step.stdin }),
});

/** Code is never put together with values: arguments stay arguments, `$1` in a shell, argv[2] in a script. */
function programOf(step: Program): Pick<ProcessSpec, 'argv' | 'files'> {
  if (step.kind === 'shell') return { argv: ['/bin/sh', '-c', step.command, 'sh', ...step.arguments] };
  // As .js without a package.json, Node tells by the syntax whether it is a module.
  const [program, file] =
    step.language === 'python' ? ['python3', 'script.py'] : [process.execPath, 'script.js'];
  return { argv: [program, file, ...step.arguments], files: [{ name: file, text: step.code }] };
}
