import type { ProblemKind } from './problems.ts';

/** What a verb's activity says went wrong, for the run's error: the first detail of an ApplicationFailure. */
export interface VerbFailure {
  kind: ProblemKind;
  /** Of the other side, when it answered. */
  status?: number;
  /** For users: no credentials, no addresses they did not write. */
  detail: string;
  outcomeUnknown: boolean;
  /** When it asks to be tried again after another pause than the verb's. */
  pauseMs?: number;
}

/** Type of the ApplicationFailure that carries a VerbFailure. */
export const VERB_FAILURE = 'verb';
