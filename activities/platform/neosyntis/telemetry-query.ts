import { ApplicationFailure } from '@temporalio/activity';
import type { Static } from 'typebox';
import type { TelemetryAnswers } from '../../../db/neosyntis/telemetry-answers.ts';
import { AppError } from '../../../domain/errors.ts';
import type { telemetryQuery } from '../../../domain/neosyntis/verbs/telemetry-query.ts';
import type { VerbImplementation } from './verbs.ts';

/** `telemetry.query`: what `GET /api/neosyntis/telemetry` answers the run's owner, of their own series. */
export function createTelemetryQuery(deps: {
  answers: TelemetryAnswers;
  ownerOf(runId: string): Promise<string | undefined>;
}): VerbImplementation {
  return async ({ runId, args }) => {
    const query = args as Static<typeof telemetryQuery.with>; // the caller checked it against this schema
    const userId = await deps.ownerOf(runId);
    if (userId === undefined) return [];
    try {
      return (await deps.answers.ask({ userId, isAdmin: false }, query, Date.now())).points;
    } catch (error) {
      if (error instanceof AppError && error.code === 'invalid')
        throw ApplicationFailure.nonRetryable(`telemetry.query: ${error.message}`, 'invalid');
      throw error;
    }
  };
}
