import { WorkflowNotFoundError } from '@temporalio/client';
import { AppError } from '../../domain/errors.ts';
import type { Temporal } from '../temporal/client.ts';

export type Cancel = (id: string) => Promise<void>;

/**
 * Asks Temporal to cancel what has this id; the row follows when it has ended.
 * @throws AppError `unavailable` when Temporal does not answer, `conflict` when it does not know the id.
 */
export const createCancel =
  (temporal: Temporal): Cancel =>
  async (id) => {
    await temporal.ensureUp();
    try {
      await temporal.call((client) => client.workflow.getHandle(id).cancel());
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      throw new AppError(
        'conflict',
        `Run ${id} has not started yet, or has just ended; look again in a moment.`,
        {},
        { cause: error },
      );
    }
  };
