import { constants } from 'node:os';
import type { CodeResult, CodeStep } from '../../../domain/neosyntis/code.ts';
import { type ProblemKind, standardProblem } from '../../../domain/neosyntis/problems.ts';
import { VALUE_LIMIT_BYTES } from '../../../domain/neosyntis/runs.ts';
import type { Json } from '../../../domain/wire.ts';
import type { OutputStream, ProcessEnd, Processes, ProcessResult } from '../../../drivers/processes/port.ts';

const TAIL_BYTES = 4 * 1024;

/** What a step that ran to an end gives its run. */
export async function resultOf(
  step: CodeStep,
  result: ProcessResult,
  { host, processes }: { host: string; processes: Pick<Processes, 'readSpool'> },
): Promise<CodeResult> {
  const { end, stdoutBytes, stderrBytes } = result;
  const bytes = { stdout: stdoutBytes, stderr: stderrBytes };
  // One reading gives at most 1 MiB.
  const read = async (stream: OutputStream, from: number): Promise<string> => {
    const texts: string[] = [];
    for (let at = from; at < bytes[stream]; ) {
      const piece = await processes.readSpool(step.step, stream, at, bytes[stream]);
      if (piece.bytes === 0) break;
      texts.push(piece.text);
      at = piece.offset + piece.bytes;
    }
    return texts.join('');
  };
  const exitCode = exitCodeOf(end);
  const base = { host, stdoutBytes, stderrBytes };

  const failed = async (kind: ProblemKind, sentence: string): Promise<CodeResult> => {
    const tails = [sentence];
    for (const stream of ['stderr', 'stdout'] as const) {
      const tail = (await read(stream, Math.max(0, bytes[stream] - TAIL_BYTES))).trim();
      if (tail !== '') tails.push(`${stream}${bytes[stream] > TAIL_BYTES ? ' (its end)' : ''}:\n${tail}`);
    }
    const found = standardProblem(kind, tails.join('\n\n'));
    return { ...base, outcome: 'problem', problem: found, ...(exitCode === undefined ? {} : { exitCode }) };
  };

  if (exitCode === undefined) return failed(...sentenceOf(end, step));
  if (step.return === 'stdout' && exitCode !== 0) return failed('runtime', exitSentence(end));

  const wanted: OutputStream[] =
    step.return === 'all'
      ? ['stdout', 'stderr']
      : step.return === 'code' || step.return === 'none'
        ? []
        : [step.return];
  const size = wanted.reduce((sum, stream) => sum + bytes[stream], 0);
  const [first = '', second = ''] =
    size > VALUE_LIMIT_BYTES ? [] : await Promise.all(wanted.map((stream) => read(stream, 0)));
  const outputs: Record<CodeStep['return'], Json> = {
    stdout: first,
    stderr: first,
    code: exitCode,
    all: { code: exitCode, stdout: first, stderr: second },
    none: null,
  };
  const output = outputs[step.return];
  if (size > VALUE_LIMIT_BYTES || Buffer.byteLength(JSON.stringify(output)) > VALUE_LIMIT_BYTES)
    return failed(
      'runtime',
      `The step printed ${size} bytes, and its output as JSON may be at most ${VALUE_LIMIT_BYTES} (8 MiB): ` +
        'print less, write to a file and print its name, or use `return: code` or `none`.',
    );
  return { ...base, outcome: 'ok', output, exitCode };
}

/** As a shell has it; nothing when the process did not end by itself. */
function exitCodeOf(end: ProcessEnd): number | undefined {
  if (end.kind === 'exited') return end.code;
  return end.kind === 'signalled' ? 128 + constants.signals[end.signal] : undefined;
}

const exitSentence = (end: ProcessEnd): string =>
  end.kind === 'signalled'
    ? `The process was ended by ${end.signal}.`
    : end.kind === 'exited'
      ? `The process ended with exit code ${end.code}.`
      : '';

function sentenceOf(end: ProcessEnd, step: CodeStep): [ProblemKind, string] {
  switch (end.kind) {
    case 'timed_out':
      return [
        'timeout',
        `The step did not end within ${step.timeoutMs} ms and was killed with all its processes.`,
      ];
    case 'output_limit':
      return [
        'runtime',
        `The step printed more than ${end.limitBytes} bytes, the limit for its output, and was killed with all its processes.`,
      ];
    case 'output_lost':
      return ['runtime', `The host could not keep the step’s output, and killed it: ${end.reason}`];
    case 'not_started':
      return [
        end.cause === 'failed' ? 'runtime' : 'configuration',
        `The step was not started: ${end.reason}.`,
      ];
    default:
      return ['runtime', exitSentence(end)];
  }
}
