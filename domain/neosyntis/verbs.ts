import type { TSchema } from 'typebox';
import { notifyEmail } from './verbs/notify-email.ts';

/** Something that `call` can do. Validation, documentation, the step palette and dispatch all come from this. */
export interface Verb {
  name: string;
  summary: string;
  /** Of the arguments, checked at save and, once expressions are evaluated, at run time. */
  with: TSchema;
  /** A verb that is not is never repeated by the platform. */
  idempotent: boolean;
  /** The arguments that may hold secrets, when others are kept or shown as they are; all when absent. */
  secretsIn?: readonly string[];
  /** Where its activity runs; those of hosts come with the first verb that needs one. */
  queue: 'platform';
}

export type Verbs = ReadonlyMap<string, Verb>;

export const verbs: Verbs = new Map([notifyEmail].map((verb): [string, Verb] => [verb.name, verb]));
