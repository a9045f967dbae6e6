import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';

/** A host knows of a later order: that one is on its way here, too. */
export const isStale = (error: unknown): boolean =>
  error instanceof ActivityFailure &&
  error.cause instanceof ApplicationFailure &&
  error.cause.type === 'StaleOrder';
