import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { AppError } from '../../domain/errors.ts';

export type Cancel = (id: string) => Promise<void>;

/** Asks Temporal to cancel what has this id; the row follows when it has ended. */
export const createCancel =
  (client: Client): Cancel =>
  async (id) => {
    try {
      await client.withDeadline(Date.now() + 2_500, () => client.workflow.getHandle(id).cancel());
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
