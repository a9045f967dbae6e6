import { ApplicationFailure } from '@temporalio/activity';
import type { Json } from '../domain/wire.ts';
import type { Masker } from '../drivers/secrets/mask.ts';

/**
 * An error as it may go into a workflow's history: its texts, its stack and its causes without secrets.
 * Cancellations pass as they are.
 */
export function maskedFailure(error: unknown, masker: Masker): unknown {
  if (!(error instanceof Error)) return new Error(masker.text(String(error)));
  if (error.name === 'CancelledFailure') return error;
  const cause = error.cause === undefined ? undefined : maskedFailure(error.cause, masker);
  if (error instanceof ApplicationFailure)
    return ApplicationFailure.create({
      message: masker.text(error.message),
      ...(error.type ? { type: error.type } : {}),
      nonRetryable: error.nonRetryable === true,
      ...(error.nextRetryDelay == null ? {} : { nextRetryDelay: error.nextRetryDelay }),
      details: (error.details ?? []).map((detail) => masker.json(detail as Json)), // details travel as JSON
      ...(cause instanceof Error ? { cause } : {}),
    });
  const masked = new Error(masker.text(error.message), { cause });
  masked.name = error.name;
  masked.stack = masker.text(error.stack ?? '');
  return masked;
}
