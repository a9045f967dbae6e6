import type { CodeResult } from '../../../domain/neosyntis/code.ts';
import { standardProblem } from '../../../domain/neosyntis/problems.ts';
import { VALUE_LIMIT_BYTES } from '../../../domain/neosyntis/runs.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import { unstorable } from '../../../domain/storable.ts';
import type { ProcessResult } from '../../../drivers/processes/port.ts';
import type { Answer } from './mcp.ts';

/** What a step puts out of a server's answer. */
export function answered(
  answer: Answer,
  { host, stdoutBytes, stderrBytes }: Pick<ProcessResult, 'stdoutBytes' | 'stderrBytes'> & { host: string },
): CodeResult {
  const base = { host, stdoutBytes, stderrBytes };
  const failed = (detail: string): CodeResult => ({
    ...base,
    outcome: 'problem',
    problem: standardProblem('runtime', `The MCP server: ${detail}.`),
  });
  if ('error' in answer) return failed(answer.error);
  const bytes = byteLength(answer.result);
  if (bytes > VALUE_LIMIT_BYTES)
    return failed(`its answer has ${bytes} bytes of JSON; ${VALUE_LIMIT_BYTES} is the limit`);
  const wrong = unstorable(answer.result);
  if (wrong) return failed(`its answer ${wrong.what}`);
  return { ...base, outcome: 'ok', output: answer.result, exitCode: 0 };
}

/** One that ended well all the same has not done what it was there for. */
export const asUnanswered = (told: CodeResult): CodeResult =>
  told.outcome === 'problem'
    ? told
    : {
        host: told.host,
        stdoutBytes: told.stdoutBytes,
        stderrBytes: told.stderrBytes,
        outcome: 'problem',
        problem: standardProblem('runtime', 'The MCP server ended before it answered.'),
      };
