import { WorkflowFailedError } from '@temporalio/client';
import { v7 as uuidv7 } from 'uuid';
import { AppError } from '../../domain/errors.ts';
import { PLATFORM_QUEUE, workflowTypes } from '../../domain/names.ts';
import { plainProblems } from '../../domain/neosyntis/plain.ts';
import { inSource, type ReadSource, type Source, type WantedSource } from '../../domain/neosyntis/sources.ts';
import type { Json } from '../../domain/wire.ts';
import { parseYaml } from '../http/yaml.ts';
import type { Temporal } from '../temporal/client.ts';

/** Reads one as the owner of the workflow. @throws AppError `unavailable` */
export type SourceReader = (ownerId: string, wanted: WantedSource) => Promise<ReadSource>;

const WITHIN_MS = 30_000;

/** A worker reads it: the API makes no requests for users. */
export const createSourceReader =
  (temporal: Temporal): SourceReader =>
  async (ownerId, { endpoint }) => {
    await temporal.ensureUp();
    try {
      return await temporal.client.withDeadline(Date.now() + WITHIN_MS, () =>
        temporal.client.workflow.execute<(...args: unknown[]) => Promise<ReadSource>>(
          workflowTypes.readSource,
          {
            workflowId: `source-${uuidv7()}`,
            taskQueue: PLATFORM_QUEUE,
            args: [ownerId, endpoint],
            workflowExecutionTimeout: WITHIN_MS,
          },
        ),
      );
    } catch (error) {
      if (error instanceof WorkflowFailedError) return { problem: 'nobody could read it in time' };
      throw new AppError(
        'unavailable',
        'What the definition names could not be read now; nothing was changed. Try again.',
        { retryAfterSeconds: 5 },
        { cause: error },
      );
    }
  };

/** What was read, as a value; or what is wrong with it. */
export function sourceOf({ uri }: WantedSource, read: ReadSource): { source: Source } | { message: string } {
  const wrong = (below: string, message: string) => ({ message: inSource(uri, below, message) });
  if ('problem' in read) return wrong('', read.problem);
  try {
    const value = parsed(read.text);
    const [problem] = plainProblems(value, '');
    if (problem) return wrong(problem.path, problem.message);
    return { source: { uri, digest: read.digest, value: value as Json } }; // it was found to be
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return wrong('', error.message.replace('The body', 'it').replace(/\.$/, ''));
  }
}

function parsed(text: string): unknown {
  try {
    if (/^\s*[{[]/.test(text)) return JSON.parse(text);
  } catch {
    // It may be YAML that begins like JSON.
  }
  return parseYaml(text);
}
